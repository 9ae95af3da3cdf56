import datetime

import optuna
import pytest

from hydra_plugins.framesweep_sweeper.trials import _trial_attrs
from hydra_plugins.framesweep_sweeper.trials._process import Process
from hydra_plugins.framesweep_sweeper.trials._takeover import find_abandoned_trials
from hydra_plugins.framesweep_sweeper.trials._trial_attrs import JobOutcome

ELSEWHERE = Process("elsewhere", 1, "")
INTERRUPTED = JobOutcome(_trial_attrs.INTERRUPTED)


@pytest.fixture
def study(storage):
    return optuna.load_study(study_name="s", storage=storage)


@pytest.fixture
def claim(study, storage):
    """Return a function that creates a running trial with these records."""

    def claim(sweeper, worker=None, outcome=None):
        trial_id = study.ask()._trial_id
        _trial_attrs.write_claim(storage, trial_id, 1, sweeper)
        if worker is not None:
            _trial_attrs.write_worker(storage, trial_id, 1, worker)
        if outcome is not None:
            _trial_attrs.write_outcome(storage, trial_id, 1, outcome)
        return trial_id

    return claim


@pytest.fixture
def find(study, storage):
    """Return a function that returns the outcome of each abandoned trial, by number."""

    def find():
        study_id = storage.get_study_id_from_name("s")
        running = study.get_trials(deepcopy=False)
        found = find_abandoned_trials(storage, study_id, running, 60)
        return {trial.number: outcome for trial, outcome in found}

    return find


def test_a_trial_of_living_processes_is_left_alone(claim, find):
    claim(Process.current())
    claim(ELSEWHERE)
    claim(Process.current(), Process.current())
    assert find() == {}


def test_a_trial_whose_processes_died_is_interrupted(claim, find, dead):
    claim(dead)
    claim(dead, dead)
    assert find() == {0: INTERRUPTED, 1: INTERRUPTED}


def test_a_worker_elsewhere_keeps_its_trial_until_it_records_an_outcome(claim, find, dead):
    claim(dead, ELSEWHERE)
    assert find() == {}
    done = JobOutcome(_trial_attrs.COMPLETE, (0.5,))
    claim(dead, ELSEWHERE, done)
    assert find() == {1: done}


def test_stopped_heartbeats_abandon_a_trial_of_any_machine(claim, find, storage, monkeypatch):
    stale = [claim(ELSEWHERE, ELSEWHERE)]
    claim(ELSEWHERE, ELSEWHERE)
    monkeypatch.setattr(
        storage.inner, "_get_stale_trial_ids", lambda study_id: stale, raising=False
    )
    assert find() == {0: INTERRUPTED}


@pytest.mark.parametrize(("seconds", "found"), [(0, []), (11, [0])])
def test_an_unclaimed_trial_is_abandoned_after_some_seconds(study, storage, seconds, found):
    study.ask()
    (trial,) = study.get_trials(deepcopy=False)
    trial.datetime_start = datetime.datetime.now() - datetime.timedelta(seconds=seconds)
    study_id = storage.get_study_id_from_name("s")
    abandoned = find_abandoned_trials(storage, study_id, [trial], 60)
    assert [trial.number for trial, _ in abandoned] == found
