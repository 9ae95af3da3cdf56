import os
import signal
import subprocess
import sys

import optuna
import pytest
from hydra.core.hydra_config import HydraConfig
from omegaconf import OmegaConf

from hydra_plugins.framesweep_sweeper import (
    current_trial,
    report,
    restore,
)
from hydra_plugins.framesweep_sweeper._errors import SupersededError
from hydra_plugins.framesweep_sweeper.trials import _trial_attrs
from hydra_plugins.framesweep_sweeper.trials._process import Process
from hydra_plugins.framesweep_sweeper.workers._task import (
    SERIAL_VARIABLE,
    TrialTask,
    judge_error,
    judge_return_value,
)

THRESHOLD = {"_target_": "optuna.pruners.ThresholdPruner", "lower": 0.5}


@pytest.fixture
def run_job(url, storage, make_queue, monkeypatch):
    """Runs a function as the job of a claimed trial; gives what is then known of the trial."""
    queue = make_queue(retries=0)

    def run(function, claim=None):
        claim = claim or queue.claim(100)
        hydra = OmegaConf.create({"hydra": {"job": {"num": claim.number}}})
        monkeypatch.setattr(HydraConfig.instance(), "cfg", hydra)
        monkeypatch.setitem(os.environ, SERIAL_VARIABLE, str(claim.serial))
        task = TrialTask(lambda config: function(), url, "s", THRESHOLD, 60)
        try:
            task(None)
        except Exception as error:
            return queue.outcome_of(claim), queue.frozen(claim), error
        return queue.outcome_of(claim), queue.frozen(claim), None

    run.queue = queue
    return run


def test_outside_of_a_sweep_nothing_happens():
    assert current_trial() is None
    report(0.5, step=1)
    restore({1: 0.5})


def test_importing_what_a_job_needs_is_cheap():
    code = (
        "import sys, hydra_plugins.framesweep_sweeper;"
        "print({'optuna', 'hydra'} & {*sys.modules})"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "set()"


def test_a_job_knows_its_trial_and_its_result_is_noted(run_job):
    def job():
        trial = current_trial()
        report(0.7, step=1)
        trial.set_user_attr("note", [1])
        return trial.number + 0.5

    outcome, trial, error = run_job(job)
    assert error is None
    assert outcome == _trial_attrs.JobOutcome("COMPLETE", (0.5,))
    assert trial.intermediate_values == {1: 0.7}
    assert trial.user_attrs == {"note": [1]}
    assert _trial_attrs.read(trial).worker == Process.current()
    assert current_trial() is None


def test_a_job_is_pruned_without_an_error(run_job):
    def job():
        report(0.6, step=1)
        report(0.4, step=2)
        raise AssertionError("was not pruned")

    outcome, trial, error = run_job(job)
    assert error is None
    assert outcome.state == "PRUNED"
    assert trial.intermediate_values == {1: 0.6, 2: 0.4}
    assert run_job(lambda: (_ for _ in ()).throw(optuna.TrialPruned()))[0].state == "PRUNED"


def test_steps_of_an_earlier_attempt_do_not_prune(run_job):
    claim = run_job.queue.claim(100)
    storage = run_job.queue._storage
    storage.set_trial_intermediate_value(claim.trial_id, 5, 0.1)

    def job():
        restore({1: 0.3, 5: 0.9})
        report(0.6, step=2)
        return 1.0

    outcome, trial, _ = run_job(job, claim)
    assert outcome.state == "COMPLETE"
    assert trial.intermediate_values == {1: 0.3, 2: 0.6, 5: 0.1}


def test_an_error_is_noted_and_passed_on(run_job):
    def job():
        raise MemoryError("too big")

    outcome, _, error = run_job(job)
    assert isinstance(error, MemoryError)
    assert (outcome.state, outcome.reason) == ("FAIL", "out_of_memory")
    assert outcome.message == "MemoryError: too big"


def test_a_superseded_job_stops_and_notes_nothing(run_job, storage):
    claim = run_job.queue.claim(100)

    def job():
        _trial_attrs.write_claim(storage, claim.trial_id, 2, Process.current())
        report(0.6, step=1)

    outcome, trial, error = run_job(job, claim)
    assert isinstance(error, SupersededError)
    assert outcome is None
    assert _trial_attrs.read(trial).outcome is None
    _, _, error = run_job(lambda: 1.0, claim)
    assert isinstance(error, SupersededError)


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
def test_outcomes_of_values(value, count, state, reason):
    outcome = judge_return_value(value, count)
    assert (outcome.state, outcome.reason) == (state, reason)


def test_outcomes_of_errors():
    assert judge_error(KeyboardInterrupt()).state == "INTERRUPTED"
    assert judge_error(ValueError("x" * 9999)).message.startswith("ValueError: xxx")
    assert len(judge_error(ValueError("x" * 9999)).message) == 500


class Preempted(Exception):  # noqa: N818
    exit_code = 128 + signal.SIGUSR2


class NotRequeuedError(Exception): ...


@pytest.fixture
def scheduler():
    """A launcher's handler of SIGUSR2: what it shall raise, and whether it was called."""

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


def stopped_by_the_signal():
    raise Preempted


def struck_by_the_signal():
    signal.raise_signal(signal.SIGUSR2)


@pytest.mark.parametrize("job", [stopped_by_the_signal, struck_by_the_signal])
def test_a_requeued_job_has_no_outcome_and_goes_on_under_its_claim(run_job, scheduler, job):
    claim = run_job.queue.claim(1)
    with pytest.raises(SystemExit):
        run_job(job, claim)
    assert scheduler.calls == 1
    assert run_job.queue.outcome_of(claim) is None
    seen = []
    outcome, _, _ = run_job(lambda: seen.append(current_trial().is_resumed) or 0.5, claim)
    assert (outcome.state, seen) == (_trial_attrs.COMPLETE, [True])


def test_a_job_that_may_not_be_requeued_says_why(run_job, scheduler):
    scheduler.raises = NotRequeuedError("too often")
    outcome, _, _ = run_job(struck_by_the_signal)
    assert (outcome.state, outcome.message) == (
        _trial_attrs.FAILED,
        "NotRequeuedError: too often",
    )
    _, _, error = run_job(stopped_by_the_signal)
    assert isinstance(error, NotRequeuedError)


def test_without_a_scheduler_the_signal_interrupts(run_job):
    outcome, _, _ = run_job(stopped_by_the_signal)
    assert outcome.state == _trial_attrs.INTERRUPTED


def test_a_claim_that_has_ended_is_not_run_again(run_job):
    claim = run_job.queue.claim(1)
    run_job(lambda: 0.5, claim)
    _, _, error = run_job(lambda: 0.7, claim)
    assert isinstance(error, SupersededError)
