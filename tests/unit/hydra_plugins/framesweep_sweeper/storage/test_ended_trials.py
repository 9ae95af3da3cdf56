"""Trials that have ended are read once, and found by state and by parameters."""

import optuna
import pytest
from optuna.trial import TrialState

from hydra_plugins.framesweep_sweeper.storage._ended_trials import EndedTrials
from hydra_plugins.framesweep_sweeper.storage._trial_parts import RESULTS

DONE = frozenset({TrialState.COMPLETE})
ENDED = frozenset({TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL})


@pytest.fixture
def study(tmp_path):
    return optuna.create_study(storage=f"sqlite:///{tmp_path}/studies.db")


@pytest.fixture
def refresh(study):
    ended = EndedTrials(RESULTS)

    def read():
        with study._storage._backend.engine.connect() as connection:
            ended.refresh(connection, study._study_id)
        return ended

    return read


def test_lists_that_were_read_before_a_trial_ended_contain_it_in_the_order_of_numbers(
    study, refresh
):
    first, second, third = (study.ask() for _ in range(3))
    study.tell(third, 3.0)
    study.tell(second, state=TrialState.FAIL)
    ended = refresh()
    assert [t.number for t in ended.select(DONE)] == [2]
    assert [t.number for t in ended.select(ENDED)] == [1, 2]
    study.tell(first, 1.0)
    refresh()
    assert [t.value for t in ended.select(DONE)] == [1.0, 3.0]
    assert [t.number for t in ended.select(ENDED)] == [0, 1, 2]


def test_an_ended_trial_is_read_only_once(study, refresh):
    study.tell(study.ask(), 1.0)
    (before,) = refresh().select(DONE)
    study.tell(study.ask(), 2.0)
    after, _ = refresh().select(DONE)
    assert after is before


def test_trials_are_found_by_all_of_their_parameters(study, refresh):
    for width, kind in ((8, "a"), (8, "b"), (16, "a"), (8, "a")):
        study.enqueue_trial({"width": width, "kind": kind})
        trial = study.ask()
        trial.suggest_categorical("kind", ["a", "b"])
        trial.suggest_int("width", 1, 32)
        study.tell(trial, 0.0)
    ended = refresh()
    assert [t.number for t in ended.find({"width": 8, "kind": "a"})] == [0, 3]
    assert [t.number for t in ended.find({"kind": "b", "width": 8})] == [1]
    assert ended.find({"width": 8}) == []


def test_the_lists_belong_to_the_caller(study, refresh):
    study.tell(study.ask(), 1.0)
    ended = refresh()
    ended.select(DONE).clear()
    ended.find({}).clear()
    assert len(ended.select(DONE)) == len(ended.find({})) == 1


def test_more_ended_trials_than_a_statement_can_list_are_read(study, refresh):
    waiting = study.ask()
    study.add_trials([optuna.trial.create_trial(value=float(i)) for i in range(600)])
    assert len(refresh().select(DONE)) == 600
    study.tell(waiting, 1.0)
    assert len(refresh().select(DONE)) == 601


def test_what_the_sweeper_records_about_processes_is_not_kept(study, refresh):
    trial = study.ask()
    for key, value in (("framesweep:claim", {"serial": 1}), ("constraints", [0.0])):
        study._storage.set_trial_system_attr(trial._trial_id, key, value)
    study.tell(trial, 1.0)
    (kept,) = refresh().select(DONE)
    assert kept.system_attrs == {"constraints": [0.0]}
