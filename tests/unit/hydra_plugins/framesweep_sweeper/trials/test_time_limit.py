import importlib
import signal
import sys
import threading
import time
from typing import Any

import pytest

from hydra_plugins.framesweep_sweeper.trials import _time_limit
from hydra_plugins.framesweep_sweeper.trials._time_limit import (
    SECONDS,
    JobLimits,
    TimeLimit,
)


@pytest.fixture
def interrupted():
    """An event that is set when this process is asked to stop."""
    event = threading.Event()
    before = signal.signal(signal.SIGINT, lambda signum, frame: event.set())
    yield event
    signal.signal(signal.SIGINT, before)


def test_without_limits_there_is_no_timer():
    before = threading.active_count()
    with TimeLimit() as limit:
        assert threading.active_count() == before
    assert not limit.is_over
    assert not limit.ends_trial


def test_a_trial_that_has_taken_its_time_is_interrupted(interrupted):
    with TimeLimit(JobLimits(trial_seconds=0.01)) as limit:
        assert interrupted.wait(60)
    assert limit.is_over
    assert limit.ends_trial


def test_the_end_of_the_search_interrupts_a_trial_without_ending_it(interrupted):
    limits = JobLimits(trial_seconds=3600.0, deadline=time.time() + 0.01)
    with TimeLimit(limits) as limit:
        assert interrupted.wait(60)
    assert limit.is_over
    assert not limit.ends_trial


def test_a_resumed_trial_has_the_rest_of_its_time(interrupted):
    with TimeLimit(JobLimits(trial_seconds=60.0), before=61.0) as limit:
        assert interrupted.wait(60)
    assert limit.ends_trial


def test_a_module_is_imported_completely_before_the_job_is_interrupted(
    interrupted, tmp_path, monkeypatch
):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "slow_module.py").write_text(
        "import sys\n"
        "limit, interrupted = sys.modules['test_of_the_limit']\n"
        "while not limit.is_over:\n"
        "    pass\n"
        "IS_INTERRUPTED = interrupted.wait(0.3)\n"
    )
    with TimeLimit(JobLimits(trial_seconds=0.01)) as limit:
        monkeypatch.setitem(sys.modules, "test_of_the_limit", (limit, interrupted))
        slow_module = importlib.import_module("slow_module")
        monkeypatch.delitem(sys.modules, "slow_module")
        assert interrupted.wait(60)
    assert not slow_module.IS_INTERRUPTED
    assert limit.ends_trial


def test_a_job_that_ends_while_its_end_is_delayed_is_not_interrupted(interrupted, monkeypatch):
    monkeypatch.setattr(_time_limit, "_imports_module", lambda thread: True)
    with TimeLimit(JobLimits(trial_seconds=0.0)) as limit:
        while not limit.is_over:
            pass
    assert not interrupted.is_set()


def test_a_job_that_ends_in_time_is_left_alone():
    with TimeLimit(JobLimits(trial_seconds=3600.0)) as limit:
        timer = limit._timer
    assert timer is not None
    assert not timer.is_alive()
    assert not limit.is_over


def test_another_thread_than_the_main_one_is_not_interrupted(interrupted):
    seen = []

    def run():
        with TimeLimit(JobLimits(trial_seconds=0.0)) as limit:
            assert limit._timer is not None
            limit._timer.join()
            seen.append(limit.ends_trial)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert seen == [True]
    assert not interrupted.is_set()


def test_a_job_in_the_background_of_a_script_is_terminated_instead():
    terminated = threading.Event()
    handlers: dict[int, Any] = {
        signal.SIGINT: signal.SIG_IGN,
        signal.SIGTERM: lambda signum, frame: terminated.set(),
    }
    before = {signum: signal.signal(signum, handler) for signum, handler in handlers.items()}
    try:
        with TimeLimit(JobLimits(trial_seconds=0.0)) as limit:
            assert terminated.wait(60)
        assert limit.ends_trial
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)


def test_a_process_that_ignores_the_signal_is_not_ended():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with TimeLimit(JobLimits(trial_seconds=0.0)) as limit:
            assert limit._timer is not None
            limit._timer.join()
        assert limit.ends_trial
    finally:
        signal.signal(signal.SIGINT, before)


def test_the_time_is_recorded_only_where_it_is_limited(storage, make_queue, monkeypatch):
    claim = make_queue().claim(1)
    TimeLimit().record(storage, claim.trial_id)
    assert SECONDS not in storage.get_trial(claim.trial_id).system_attrs
    monkeypatch.setattr(time, "monotonic", lambda: 100.0)
    limit = TimeLimit(JobLimits(trial_seconds=1e6), before=5.0)
    monkeypatch.setattr(time, "monotonic", lambda: 107.5)
    limit.record(storage, claim.trial_id)
    assert storage.get_trial(claim.trial_id).system_attrs[SECONDS] == 12.5
