import subprocess
import sys

import optuna
import pytest

from hydra_plugins.framesweep_sweeper import (
    CurrentTrial,
    TrialPruned,
    current_trial,
    report,
    require_owned,
    restore,
    still_owned,
)
from hydra_plugins.framesweep_sweeper._errors import SupersededError
from hydra_plugins.framesweep_sweeper.job import set_current_trial
from hydra_plugins.framesweep_sweeper.trials import _trial_attrs
from hydra_plugins.framesweep_sweeper.trials._process import Process


@pytest.fixture
def queue(make_queue):
    return make_queue()


@pytest.fixture
def claim(queue):
    return queue.claim(1)


@pytest.fixture
def trial(claim, storage):
    """The claimed trial as the current one, with a pruner that stops it below 0.5."""
    pruner = optuna.pruners.ThresholdPruner(lower=0.5)
    trial = CurrentTrial(
        study_name="s",
        number=claim.number,
        attempt=1,
        is_resumed=False,
        _trial_id=claim.trial_id,
        _serial=claim.serial,
        _study=optuna.load_study(study_name="s", storage=storage, pruner=pruner),
        _storage=storage,
    )
    set_current_trial(trial)
    yield trial
    set_current_trial(None)


def test_outside_of_a_sweep_reporting_has_no_effect():
    assert current_trial() is None
    report(0.5, step=1)
    restore({1: 0.5})
    require_owned()
    assert still_owned()


def test_importing_what_a_job_needs_imports_neither_optuna_nor_hydra():
    code = (
        "import sys, hydra_plugins.framesweep_sweeper;"
        "print({'optuna', 'hydra'} & {*sys.modules})"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "set()"


def test_reported_values_are_stored_until_the_pruner_stops_the_trial(trial, claim, queue):
    report(0.6, step=1)
    with pytest.raises(TrialPruned, match="trial 0 pruned at step 2"):
        report(0.4, step=2)
    assert queue.get_trial(claim).intermediate_values == {1: 0.6, 2: 0.4}


def test_later_steps_of_an_earlier_attempt_do_not_prune(trial, claim, queue, storage):
    storage.set_trial_intermediate_value(claim.trial_id, 5, 0.1)
    report(0.6, step=2)
    assert queue.get_trial(claim).intermediate_values == {2: 0.6, 5: 0.1}


def test_restoring_adds_missing_steps_and_never_prunes(trial, claim, queue, storage):
    storage.set_trial_intermediate_value(claim.trial_id, 5, 0.1)
    restore({1: 0.3, 5: 0.9})
    assert queue.get_trial(claim).intermediate_values == {1: 0.3, 5: 0.1}


def test_a_superseded_job_cannot_report(trial, claim, queue, storage):
    _trial_attrs.write_claim(storage, claim.trial_id, 2, Process.current())
    with pytest.raises(SupersededError, match="trial 0 was taken over by another worker"):
        report(0.6, step=1)
    assert queue.get_trial(claim).intermediate_values == {}


def test_a_job_can_ask_whether_it_still_owns_its_trial(trial, claim, queue, storage):
    assert (trial.token, still_owned()) == (1, True)
    require_owned()
    _trial_attrs.write_claim(storage, claim.trial_id, 2, Process.current())
    assert not still_owned()
    with pytest.raises(SupersededError, match="trial 0 was taken over by another worker"):
        require_owned()


def test_a_trial_that_another_worker_has_ended_is_no_longer_owned(trial, claim, queue):
    queue.study.tell(claim.number, 0.5)
    assert not still_owned()


def test_a_study_with_several_objectives_is_never_pruned(trial, claim, queue, storage):
    study = optuna.create_study(storage=storage, directions=["maximize", "minimize"])
    trial._study = study
    report(0.1, step=1)
    assert queue.get_trial(claim).intermediate_values == {1: 0.1}


def test_a_job_reads_its_parameters_and_attributes(trial, claim, queue):
    claim.trial.suggest_categorical("a", [7])
    queue.study.set_user_attr("parent", "x")
    trial.set_user_attr("note", [1])
    assert trial.params == {"a": 7}
    assert trial.study_attr("parent") == "x"
    assert trial.study_attr("missing") is None
    assert queue.get_trial(claim).user_attrs["note"] == [1]
