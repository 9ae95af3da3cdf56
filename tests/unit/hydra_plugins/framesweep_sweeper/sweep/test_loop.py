"""The loop of a sweep, with jobs that end as soon as they are started."""

from typing import Any

import pytest
from omegaconf import OmegaConf
from optuna.samplers import RandomSampler

from hydra_plugins.framesweep_sweeper._errors import FailedSweepError
from hydra_plugins.framesweep_sweeper.storage._heartbeats import HeartbeatThread
from hydra_plugins.framesweep_sweeper.sweep import _failure_limit
from hydra_plugins.framesweep_sweeper.sweep._loop import SweepLoop
from hydra_plugins.framesweep_sweeper.sweep._progress import PlainProgress
from hydra_plugins.framesweep_sweeper.sweep._results import _describe_last_failure
from hydra_plugins.framesweep_sweeper.sweep._search_end import SearchEnd
from hydra_plugins.framesweep_sweeper.sweep._settings import LoopSettings
from hydra_plugins.framesweep_sweeper.sweep._work_clock import WORKED, WorkClock
from hydra_plugins.framesweep_sweeper.trials import _trial_attrs
from hydra_plugins.framesweep_sweeper.trials._constraints import RejectedPointError
from hydra_plugins.framesweep_sweeper.trials._trial_attrs import JobOutcome
from hydra_plugins.framesweep_sweeper.workers._pool import FinishedJob, Job
from hydra_plugins.framesweep_sweeper.workers._signals import StopSignal

STUDY = 1
"""The id of the study in its new storage."""
COMPLETE = JobOutcome(_trial_attrs.COMPLETE, (0.5,))


class InstantPool:
    """Ends each job with the outcome for its number; None stands for a killed worker."""

    outlives_sweeper = False

    def __init__(self, storage, outcomes):
        self.storage = storage
        self.outcomes = outcomes
        self.claims = {}
        self.ended = []
        self.started = []
        self.is_closed = False

    def start(self, slot, job):
        self.started.append(job.number)
        claim = self.claims[job.number]
        outcome = self.outcomes.get(job.number, COMPLETE)
        if outcome is not None:
            _trial_attrs.write_outcome(self.storage, claim.trial_id, claim.serial, outcome)
        self.ended.append(FinishedJob(slot, "killed", "worker killed by SIGKILL"))

    def wait(self, seconds):
        ended, self.ended = self.ended, []
        return ended

    def signal(self, signum):
        pass

    def close(self):
        self.is_closed = True


class NumberSampler(RandomSampler):
    """Chooses the value of a parameter from the number of the trial."""

    def __init__(self, value):
        super().__init__()
        self.value = value

    def sample_independent(self, study, trial, name, distribution):
        return self.value(trial.number)


@pytest.fixture
def run(storage, make_queue):
    """Return a function that runs the loop until the study has `n_trials`.

    Args:
        unfit: numbers of trials whose config cannot be composed.
        rejected: numbers of trials that violate a constraint.
        outcomes: the outcome of jobs by number.
        value: the value of the searched key of each trial.
        max_hours, stop_when: the ends of the search other than its total.
        settings: settings of the loop.

    It returns the states of all trials and the numbers of the jobs that were started.
    """

    def run(
        n_trials,
        unfit=(),
        rejected=(),
        outcomes=None,
        value=lambda number: number,
        max_hours=None,
        stop_when=None,
        **settings,
    ):
        pool = InstantPool(storage, outcomes or {})

        def prepare(claim):
            if claim.number in unfit:
                raise ValueError(f"no config for trial {claim.number}")
            if claim.number in rejected:
                raise RejectedPointError({}, ["a<=1: found 2"])
            claim.trial.suggest_int("a", 0, 99)
            pool.claims[claim.number] = claim
            return Job(claim.number, [], OmegaConf.create())

        chosen = {"n_jobs": 1, "max_failure_rate": 0.9, "repeat_duplicates": False}
        chosen["stop_seconds"] = 1.0
        loop_settings = LoopSettings(n_trials, **{**chosen, **settings})
        queue, heartbeats = make_queue(retries=1), HeartbeatThread(storage, 60)
        queue._make_sampler = lambda num_begun: NumberSampler(value)
        ended: list[Any] = []
        end = SearchEnd(max_hours, stop_when, queue.study.direction)
        clock = WorkClock(storage, queue.study_id, 60)
        clock.start()
        shown = (PlainProgress(), loop_settings)
        loop = SweepLoop(queue, pool, heartbeats, *shown, end, clock, prepare, ended.append)
        try:
            loop.run(StopSignal())
        finally:
            heartbeats.stop()
            assert pool.is_closed
        states = [trial.state.name for trial in queue.get_trials()]
        finished = {n for n, state in enumerate(states) if state not in ("WAITING", "RUNNING")}
        assert {trial.number for trial in ended} <= finished
        return states, pool.started

    return run


def test_every_slot_is_filled_until_the_total_is_reached(run):
    assert run(5, n_jobs=3) == (["COMPLETE"] * 5, [0, 1, 2, 3, 4])
    assert run(5, n_jobs=3) == (["COMPLETE"] * 5, [])


def test_a_killed_worker_costs_an_attempt_and_the_trial_is_retried(run, make_queue):
    states, started = run(2, outcomes={0: None})
    assert states == ["FAIL", "COMPLETE", "COMPLETE"]
    assert started == [0, 0, 1, 2]
    assert _describe_last_failure(make_queue()) == "killed: worker killed by SIGKILL"


def test_a_trial_that_cannot_be_composed_counts_as_failed(run):
    assert run(1, unfit={1})[0] == ["COMPLETE"]
    assert run(3, unfit={1})[0] == ["COMPLETE", "FAIL", "COMPLETE", "COMPLETE"]


def test_a_command_of_which_no_trial_can_be_composed_shows_the_error(run, make_queue):
    for number in range(2):
        with pytest.raises(ValueError, match=f"no config for trial {number}"):
            run(2, unfit={0, 1})
    assert run(2, unfit={0, 1})[0] == ["FAIL", "FAIL", "COMPLETE", "COMPLETE"]
    assert _describe_last_failure(make_queue()) == "config: ValueError: no config for trial 1"


def test_a_duplicate_gets_the_result_without_running(run, make_queue):
    states, started = run(4, value=lambda number: number % 2)
    assert states == ["COMPLETE"] * 4
    assert started == [0, 1]
    duplicates = [t.user_attrs.get("duplicate_of") for t in make_queue().get_trials()]
    assert duplicates == [None, None, 0, 1]


def test_a_duplicate_runs_if_its_original_fails(run):
    states, started = run(2, value=lambda number: 7, outcomes={0: None}, n_jobs=2)
    assert states == ["FAIL", "COMPLETE", "COMPLETE"]
    # Trial 1 waits for trial 0, and runs once that has failed; trial 2 then repeats trial 1.
    assert started == [0, 1, 0]


def test_duplicates_run_again_if_the_settings_say_so(run):
    assert run(3, value=lambda number: 7, repeat_duplicates=True)[1] == [0, 1, 2]


def test_a_sweep_whose_trials_all_fail_is_stopped(run):
    failed = JobOutcome(_trial_attrs.FAILED, reason="exception", message="ValueError: no")
    with pytest.raises(FailedSweepError, match=r"2 of 2 trials failed.*; last: exception:"):
        run(2, outcomes=dict.fromkeys(range(9), failed))


def test_a_search_ends_once_its_value_is_reached_also_if_it_is_started_again(run):
    outcomes = {n: JobOutcome(_trial_attrs.COMPLETE, (n / 10,)) for n in range(9)}
    states, started = run(9, outcomes=outcomes, stop_when=0.3)
    assert (states, started) == (["COMPLETE"] * 4, [0, 1, 2, 3])
    assert run(9, outcomes=outcomes, stop_when=0.3) == (states, [])
    assert run(9, outcomes=outcomes, stop_when=0.5)[1] == [4, 5]


def test_a_search_that_was_killed_has_only_the_rest_of_its_hours(run, storage):
    # What a sweeper that was killed has left: two hours, of an earlier day.
    storage.set_study_system_attr(STUDY, f"{WORKED}killed", [3600.0, 3 * 3600.0])
    assert run(3, max_hours=2.0) == ([], [])
    assert run(3, max_hours=2.5) == (["COMPLETE"] * 3, [0, 1, 2])


def test_what_runs_at_the_end_of_a_search_can_be_resumed(run, make_queue, monkeypatch):
    monkeypatch.setattr(InstantPool, "wait", lambda self, seconds: [])
    times = iter([0.0, 0.0, 0.0])
    monkeypatch.setattr(WorkClock, "seconds", lambda self: next(times, 3600.0))
    assert run(3, max_hours=1.0, n_jobs=2, stop_seconds=0.0, outcomes={0: None, 1: None}) == (
        ["WAITING"] * 2,
        [0, 1],
    )


def test_a_point_that_violates_a_constraint_costs_nothing(run):
    states, started = run(2, rejected={0, 2})
    assert states == ["PRUNED", "COMPLETE", "PRUNED", "COMPLETE"]
    assert started == [1, 3]


def test_a_space_without_points_that_are_allowed_ends_with_an_error(run, monkeypatch):
    monkeypatch.setattr(_failure_limit, "MOST_REJECTED", 3)
    with pytest.raises(FailedSweepError, match=r"found 3 in a row that violate them"):
        run(2, rejected=range(99))


class ScriptedPool(InstantPool):
    """Ends jobs in the given groups, each of them in one call of `wait`."""

    def __init__(self, storage, outcomes, groups):
        super().__init__(storage, outcomes)
        self.groups = list(groups)
        self.signals = 0

    def wait(self, seconds):
        group = self.groups.pop(0) if self.groups else ()
        now = [job for job in self.ended if job.slot in group]
        self.ended = [job for job in self.ended if job.slot not in group]
        return now

    def signal(self, signum):
        self.signals += 1


FAILED = JobOutcome(_trial_attrs.FAILED, reason="config", message="no")
INTERRUPTED = JobOutcome(_trial_attrs.INTERRUPTED)


@pytest.fixture
def run_scripted(storage, make_queue):
    """Return a function that runs jobs in three slots until too many have failed.

    It takes the outcomes of the jobs and the groups in which they end, and returns the states
    of the trials and of those that the listener was told about.
    """

    def run(outcomes, groups):
        pool = ScriptedPool(storage, dict(enumerate(outcomes)), groups)

        def prepare(claim):
            claim.trial.suggest_int("a", 0, 99)
            pool.claims[claim.number] = claim
            return Job(claim.number, [], OmegaConf.create())

        queue, heartbeats = make_queue(retries=0), HeartbeatThread(storage, 60)
        settings = LoopSettings(20, 3, 0.0, True, stop_seconds=60.0)
        clock = WorkClock(storage, queue.study_id, 60)
        clock.start()
        ended: list[Any] = []
        end = SearchEnd(None, None, queue.study.direction)
        shown = (PlainProgress(), settings)
        loop = SweepLoop(queue, pool, heartbeats, *shown, end, clock, prepare, ended.append)
        with pytest.raises(FailedSweepError):
            loop.run(StopSignal())
        assert (pool.is_closed, pool.groups) == (True, [])
        assert not heartbeats._thread.is_alive()
        states = [trial.state.name for trial in queue.get_trials()]
        return states, {trial.number: trial.state.name for trial in ended}

    return run


def test_a_job_that_fails_while_the_sweep_is_stopped_does_not_end_the_others(run_scripted):
    states, told = run_scripted([FAILED, FAILED, INTERRUPTED], [[0], [], [1], [], [2]])
    assert states == ["FAIL", "FAIL", "WAITING"]
    assert told == {0: "FAIL", 1: "FAIL"}


def test_every_job_that_ends_together_with_one_too_many_failures_is_closed(run_scripted):
    states, told = run_scripted([FAILED, COMPLETE, COMPLETE], [[0, 1, 2]])
    assert states == ["FAIL", "COMPLETE", "COMPLETE"]
    assert told == {0: "FAIL", 1: "COMPLETE", 2: "COMPLETE"}
