import os
import signal
from typing import Any

import cloudpickle
import optuna
import pytest
from hydra.core.hydra_config import HydraConfig
from omegaconf import OmegaConf

from hydra_plugins.framesweep_sweeper import current_trial, record_metrics, report
from hydra_plugins.framesweep_sweeper._errors import StoppedJobError, SupersededError
from hydra_plugins.framesweep_sweeper.trials import _trial_attrs
from hydra_plugins.framesweep_sweeper.trials._constraints import Constraint
from hydra_plugins.framesweep_sweeper.trials._process import Process
from hydra_plugins.framesweep_sweeper.trials._time_limit import TimeLimit
from hydra_plugins.framesweep_sweeper.workers._task import (
    SERIAL_VARIABLE,
    TrialTask,
    judge_error,
    judge_return_value,
)

THRESHOLD = {"_target_": "optuna.pruners.ThresholdPruner", "lower": 0.5}


@pytest.fixture
def queue(make_queue):
    return make_queue(retries=0)


@pytest.fixture
def run_job(url, storage, queue, monkeypatch):
    """Return a function that runs another one as the job of a claimed trial.

    It returns the outcome that the job recorded, the trial, and the error that the job raised.
    """

    def run(function, claim=None, constraints=()):
        claim = claim or queue.claim(100)
        hydra = OmegaConf.create({"hydra": {"job": {"num": claim.number}}})
        monkeypatch.setattr(HydraConfig.instance(), "cfg", hydra)
        monkeypatch.setitem(os.environ, SERIAL_VARIABLE, str(claim.serial))
        task = TrialTask(
            lambda config: function(), url, "s", THRESHOLD, 60, constraints=constraints
        )
        try:
            task(None)
        except Exception as error:
            return queue.read_outcome(claim), queue.get_trial(claim), error
        return queue.read_outcome(claim), queue.get_trial(claim), None

    return run


def test_a_job_knows_its_trial_and_its_result_is_recorded(run_job):
    def job():
        report(0.7, step=1)
        return current_trial().number + 0.5

    outcome, trial, error = run_job(job)
    assert error is None
    assert outcome == _trial_attrs.JobOutcome("COMPLETE", (0.5,))
    assert trial.intermediate_values == {1: 0.7}
    assert _trial_attrs.read(trial).worker == Process.current()
    assert current_trial() is None


def test_a_pruned_job_ends_without_an_error(run_job):
    def job():
        report(0.4, step=1)
        raise AssertionError("was not pruned")

    def job_of_plain_optuna():
        raise optuna.TrialPruned

    for function in (job, job_of_plain_optuna):
        outcome, _, error = run_job(function)
        assert error is None
        assert outcome.state == "PRUNED"


def test_the_metrics_that_a_job_recorded_are_compared_with_the_constraints(run_job):
    def job():
        record_metrics({"speed": 10.0})
        record_metrics({"speed": 50.0, "other": 1.0})
        return 0.5

    constraints = (Constraint("speed", ">=", 100.0),)
    outcome, trial, _ = run_job(job, constraints=constraints)
    assert outcome.state == "COMPLETE"
    assert trial.constraints == {"speed": 0.5}
    assert trial.user_attrs["violated"] == "speed>=100: found 50"
    outcome, trial, _ = run_job(lambda: 0.5, constraints=constraints)
    assert (outcome.state, outcome.reason) == ("FAIL", "config")
    assert outcome.message == (
        "hydra.sweeper.constraints: must name metrics that the job records; found speed, and "
        "the job records none"
    )
    record_metrics({"speed": 1.0})  # outside of a sweep, without effect


@pytest.fixture
def time_is_over(monkeypatch):
    """Let the time of each trial be over from the beginning, without a signal."""
    monkeypatch.setattr(TimeLimit, "ends_trial", True)


def test_a_trial_that_has_taken_its_time_is_pruned_at_its_next_report(run_job, time_is_over):
    outcome, trial, error = run_job(lambda: report(0.9, step=1))
    assert error is None
    assert outcome == _trial_attrs.JobOutcome("PRUNED", reason="trial_minutes")
    assert trial.intermediate_values == {1: 0.9}


def test_a_trial_that_stops_because_its_time_is_over_is_pruned(run_job, queue, time_is_over):
    class Stopped(Exception):  # noqa: N818
        exit_code = 130

    def job():
        raise Stopped

    claim = queue.claim(1)
    outcome, _, error = run_job(job, claim)
    assert isinstance(error, Stopped)
    assert outcome == _trial_attrs.JobOutcome("PRUNED", reason="trial_minutes")
    assert queue.settle(claim, outcome).user_attrs["pruned_by"] == "trial_minutes"


def test_a_trial_that_fails_when_its_time_is_over_has_failed(run_job, time_is_over):
    outcome, _, _ = run_job(lambda: 1 / 0)
    assert outcome.state == _trial_attrs.FAILED


def test_an_error_is_recorded_and_raised_again(run_job):
    def job():
        raise MemoryError("too big")

    outcome, _, error = run_job(job)
    assert isinstance(error, MemoryError)
    assert (outcome.state, outcome.reason) == ("FAIL", "out_of_memory")
    assert outcome.message == "MemoryError: too big"


@pytest.mark.parametrize("stop", [KeyboardInterrupt(), SystemExit(143)])
def test_a_job_that_is_stopped_ends_by_an_error_that_a_launcher_can_pickle(run_job, stop):
    def job():
        raise stop

    outcome, _, error = run_job(job)
    assert outcome.state == _trial_attrs.INTERRUPTED
    assert isinstance(error, StoppedJobError)
    assert error.__cause__ is stop


def test_a_superseded_job_stops_and_records_nothing(run_job, queue, storage):
    claim = queue.claim(100)

    def job():
        _trial_attrs.write_claim(storage, claim.trial_id, 2, Process.current())
        report(0.6, step=1)

    outcome, trial, error = run_job(job, claim)
    assert isinstance(error, SupersededError)
    assert outcome is None
    assert _trial_attrs.read(trial).outcome is None
    _, _, error = run_job(lambda: 1.0, claim)
    assert isinstance(error, SupersededError)


@pytest.mark.parametrize("error", [None, ValueError("its files are gone")])
def test_a_job_that_was_superseded_without_noticing_records_nothing(
    run_job, queue, storage, error
):
    claim = queue.claim(100)

    def job():
        _trial_attrs.write_claim(storage, claim.trial_id, 2, Process.current())
        if error is not None:
            raise error
        return 1.0

    outcome, trial, raised = run_job(job, claim)
    assert isinstance(raised, SupersededError)
    assert raised.__cause__ is error
    assert outcome is None
    assert _trial_attrs.OUTCOME not in trial.system_attrs


def test_a_job_is_fenced_in_whichever_process_a_launcher_starts_it(
    url, storage, queue, monkeypatch
):
    """Slurm's and Ray's launchers pickle the task; what it needs is in the study's storage."""
    claim = queue.claim(100)
    _trial_attrs.write_claim(storage, claim.trial_id, claim.serial + 1, Process.current())
    hydra = OmegaConf.create({"hydra": {"job": {"num": claim.number}}})
    monkeypatch.setattr(HydraConfig.instance(), "cfg", hydra)
    monkeypatch.setenv(SERIAL_VARIABLE, str(claim.serial))
    ran: list[Any] = []
    task = TrialTask(ran.append, url, "s", THRESHOLD, 60)
    for started in (task, cloudpickle.loads(cloudpickle.dumps(task))):
        with pytest.raises(SupersededError, match="taken over"):
            started(None)
    assert ran == []
    assert _trial_attrs.read(queue.get_trial(claim)).outcome is None


def test_a_job_that_has_ended_is_not_run_again_under_the_same_claim(run_job, queue):
    claim = queue.claim(1)
    run_job(lambda: 0.5, claim)
    outcome, _, error = run_job(lambda: 0.7, claim)
    assert isinstance(error, SupersededError)
    assert outcome.values == (0.5,)


@pytest.mark.parametrize(
    ("value", "count", "state", "reason"),
    [
        (1, 1, "COMPLETE", ""),
        ("1.5", 1, "COMPLETE", ""),
        (float("inf"), 1, "COMPLETE", ""),
        (None, 1, "FAIL", "bad_objective"),
        ([1.0, 2.0], 2, "COMPLETE", ""),
        ([1.0], 2, "FAIL", "bad_objective"),
        ((1.0, float("nan")), 2, "FAIL", "nan_objective"),
        (float("nan"), 1, "FAIL", "nan_objective"),
    ],
)
def test_a_return_value_completes_the_job_or_fails_it_with_a_reason(
    value, count, state, reason
):
    outcome = judge_return_value(value, count)
    assert (outcome.state, outcome.reason) == (state, reason)


def test_an_error_interrupts_or_fails_the_job_with_a_short_message():
    assert judge_error(KeyboardInterrupt()).state == "INTERRUPTED"
    assert judge_error(ValueError("x" * 9999)).message.startswith("ValueError: xxx")
    assert len(judge_error(ValueError("x" * 9999)).message) == 500


class Preempted(Exception):  # noqa: N818
    exit_code = 128 + signal.SIGUSR2


class NotRequeuedError(Exception): ...


@pytest.fixture
def scheduler():
    """A launcher's handler of SIGUSR2: what it shall raise, and how often it was called."""

    class Scheduler:
        raises: BaseException = SystemExit(-1)
        calls = 0

        def handle(self, signum, frame):
            self.calls += 1
            raise self.raises

    scheduler = Scheduler()
    before = signal.signal(signal.SIGUSR2, scheduler.handle)
    yield scheduler
    assert signal.signal(signal.SIGUSR2, before) == scheduler.handle


def catch_the_signal():
    raise Preempted


def ignore_the_signal():
    signal.raise_signal(signal.SIGUSR2)


@pytest.mark.parametrize("job", [catch_the_signal, ignore_the_signal])
def test_a_requeued_job_records_no_outcome_and_resumes_under_its_claim(
    run_job, queue, scheduler, job
):
    claim = queue.claim(1)
    with pytest.raises(SystemExit):
        run_job(job, claim)
    assert scheduler.calls == 1
    assert queue.read_outcome(claim) is None
    seen = []
    outcome, _, _ = run_job(lambda: seen.append(current_trial().is_resumed) or 0.5, claim)
    assert (outcome.state, seen) == (_trial_attrs.COMPLETE, [True])


def test_a_job_that_may_not_be_requeued_fails_with_the_launchers_error(run_job, scheduler):
    scheduler.raises = NotRequeuedError("too often")
    outcome, _, _ = run_job(ignore_the_signal)
    assert outcome.state == _trial_attrs.FAILED
    assert outcome.message == "NotRequeuedError: too often"
    _, _, error = run_job(catch_the_signal)
    assert isinstance(error, NotRequeuedError)


def test_without_a_scheduler_the_signal_interrupts_the_job(run_job):
    outcome, _, _ = run_job(catch_the_signal)
    assert outcome.state == _trial_attrs.INTERRUPTED
