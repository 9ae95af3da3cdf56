import time

import pytest

from hydra_plugins.framesweep_sweeper.sweep._work_clock import (
    WORKED,
    WorkClock,
    union_length,
)

STUDY = 1
"""The id of the study in its new storage."""


def test_overlapping_intervals_count_once():
    assert union_length([]) == 0.0
    assert union_length([[0, 10], [5, 15], [7, 8], [20, 21]]) == 16.0
    assert union_length([[20, 21], [0, 10]]) == 11.0


def test_a_study_keeps_the_time_of_all_its_sweepers(storage, monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    monkeypatch.setattr(time, "time", lambda: now[0])
    first, second = WorkClock(storage, STUDY, 60), WorkClock(storage, STUDY, 60)
    assert first.start() == 0.0
    now[0] = 1100.0
    first.record()
    assert second.start() == 100.0  # of one that may be killed at any moment
    now[0] = 1150.0
    second.record()
    assert first.seconds() == second.seconds() == 150.0
    now[0] = 5000.0
    assert WorkClock(storage, STUDY, 60).start() == 150.0


def test_the_time_is_recorded_until_the_clock_stops(storage):
    clock = WorkClock(storage, STUDY, 60)
    clock.start()
    clock.keep_recording()
    clock.stop()
    clock.stop()
    (interval,) = [
        value
        for key, value in storage.get_study_system_attrs(STUDY).items()
        if key.startswith(WORKED)
    ]
    assert interval[0] <= interval[1] == pytest.approx(interval[0], abs=600)


def test_a_storage_that_is_away_does_not_stop_the_sweep(storage, monkeypatch, caplog):
    clock = WorkClock(storage, STUDY, 60)
    clock.start()
    clock.keep_recording()

    def fail(*args):
        raise OSError("away")

    monkeypatch.setattr(storage, "set_study_system_attr", fail, raising=False)
    clock.stop()
    assert "the time of the sweep was not recorded (OSError)" in caplog.text
