import time

import optuna
import pytest

from hydra_plugins.framesweep_sweeper.storage import _retrying_storage
from hydra_plugins.framesweep_sweeper.storage._heartbeats import (
    HeartbeatThread,
    find_stale_trials,
    get_database,
)
from hydra_plugins.framesweep_sweeper.storage._storage import open_storage


@pytest.fixture(params=["database", "journal"])
def running(request, url, tmp_path):
    """A storage whose trials become stale within seconds, and a study with two trials."""
    storage = open_storage(url if request.param == "database" else f"{tmp_path}/s.journal", 1)
    study = optuna.create_study(storage=storage, study_name="h")
    return storage, study, study.ask(), study.ask()


def test_a_trial_becomes_stale_once_its_heartbeats_stop(running):
    storage, study, living, silent = running
    study_id = storage.get_study_id_from_name("h")
    heartbeats = HeartbeatThread(storage, 0.05)
    heartbeats.add(living._trial_id)
    heartbeats.beat(silent._trial_id)

    def find():
        trials = study.get_trials(deepcopy=False)
        return find_stale_trials(storage, study_id, trials, 3)

    assert find() == set()
    end = time.monotonic() + 120
    while not (found := find()) and time.monotonic() < end:
        time.sleep(0.1)
    assert found == {silent.number}
    heartbeats.remove(living._trial_id)
    while find() != {living.number, silent.number}:
        assert time.monotonic() < end
        time.sleep(0.1)
    heartbeats.stop()


def test_after_an_outage_every_worker_gets_time_for_a_heartbeat(storage, monkeypatch):
    study = optuna.load_study(study_name="s", storage=storage)
    study_id = storage.get_study_id_from_name("s")
    trial = study.ask()
    stale = [trial._trial_id]
    monkeypatch.setattr(
        storage.inner, "_get_stale_trial_ids", lambda study_id: stale, raising=False
    )
    trials = study.get_trials(deepcopy=False)
    assert find_stale_trials(storage, study_id, trials, 60) == {trial.number}
    monkeypatch.setattr(_retrying_storage, "_last_outage", time.monotonic())
    assert find_stale_trials(storage, study_id, trials, 60) == set()


def test_a_heartbeat_that_cannot_be_recorded_is_repeated_soon(storage, monkeypatch):
    real, calls = storage.inner.record_heartbeat, []

    def record(trial_id):
        calls.append(trial_id)
        if len(calls) == 1:
            raise OSError("away")
        real(trial_id)

    monkeypatch.setattr(storage.inner, "record_heartbeat", record)
    heartbeats = HeartbeatThread(storage, 0.05)
    assert not heartbeats.beat(7)
    trial_id = optuna.load_study(study_name="s", storage=storage).ask()._trial_id
    heartbeats.add(trial_id)
    end = time.monotonic() + 120
    while calls.count(trial_id) < 3:
        assert time.monotonic() < end
        time.sleep(0.01)
    heartbeats.stop()


def test_only_a_database_keeps_heartbeats_itself(storage, tmp_path):
    assert get_database(storage) is storage.inner
    assert get_database(open_storage(f"{tmp_path}/s.journal", 60)) is None
