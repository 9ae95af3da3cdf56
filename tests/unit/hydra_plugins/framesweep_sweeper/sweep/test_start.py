from typing import Any

import optuna
import pytest
from omegaconf import OmegaConf
from optuna.samplers import GridSampler, RandomSampler
from optuna.trial import TrialState

from hydra_plugins.framesweep_sweeper._errors import SweepError
from hydra_plugins.framesweep_sweeper.search._space_reader import read_space
from hydra_plugins.framesweep_sweeper.search._study_identity import (
    build_identity,
    create_study_if_missing,
    list_extended,
    record_extension,
)
from hydra_plugins.framesweep_sweeper.sweep import _start
from hydra_plugins.framesweep_sweeper.sweep._start import begin_study, find_start

PARAMS = {"x": "interval(0.0,1.0)", "n": "choice(1,2,3)"}


class DefaultsAndOverrides:
    """Composes a config with x=0.25, n=7 and what the overrides change."""

    def __init__(self):
        self.config_loader = self

    def load_sweep_config(self, config, overrides):
        changed = OmegaConf.from_dotlist(overrides)
        return OmegaConf.merge({"x": 0.25, "n": 7, **config}, changed)


class Finder:
    def find(self, name, config):
        return {"quick": ["n=2"], "run": {"x": 0.5, "n": 3, "other": 1}}.get(name)


@pytest.fixture
def space():
    return read_space(PARAMS, ["epochs=3"])


@pytest.fixture
def make_study(storage):
    """Return a function that creates a study with completed trials at these points."""

    def make(name, params, points, epochs=3):
        space = read_space(params, [f"epochs={epochs}"])
        create_study_if_missing(storage, name, build_identity(space, ["maximize"], []))
        study = optuna.load_study(study_name=name, storage=storage)
        for value, point in points:
            study.enqueue_trial(point)
            trial = study.ask()
            space.suggest(trial, lambda key: None)
            study.tell(trial, value)
        return study

    return make


@pytest.fixture
def find(space, storage, monkeypatch):
    """Return a function that looks up names for a search of `space`."""
    monkeypatch.setattr(_start, "instantiate_own", lambda target: target and Finder())

    def find(*names, finder=True, sampler=None):
        target = OmegaConf.create({"_target_": "app.Finder"}) if finder else None
        settings = {"start_from": list(names), "point_finder": target}
        sweeper = {"start_from": "${sweep.start_from}", "new": "${sweep.new}"}
        config = OmegaConf.create({"hydra": {"runtime": {"choices": {}}, "sweeper": sweeper}})
        context: Any = DefaultsAndOverrides()
        sampler = sampler or RandomSampler()
        return find_start(settings, context, config, sampler, storage, space)

    return find


def enqueued(study):
    waiting = study.get_trials(states=(TrialState.WAITING,))
    return [trial.system_attrs["fixed_params"] for trial in waiting]


def test_points_are_tried_before_any_other(find, make_study, space):
    make_study("old", PARAMS, [(0.1, {"x": 0.1, "n": 1}), (0.9, {"x": 0.9, "n": 2})])
    study = make_study("new", PARAMS, [])
    _, notes = begin_study(study, space, find("defaults", "quick", "run", "old"))
    assert enqueued(study) == [
        {"x": 0.25},
        {"x": 0.25, "n": 2},
        {"x": 0.5, "n": 3},
        {"x": 0.9, "n": 2},
    ]
    assert notes == [
        "start from defaults: x=0.25 (outside of the space: n=7)",
        "start from quick: x=0.25 n=2",
        "start from run: x=0.5 n=3",
        "start from old: x=0.9 n=2",
        "the sampler learns from 2 trials of old",
    ]


def test_points_are_enqueued_once(find, make_study, space):
    study = make_study("new", PARAMS, [])
    begin_study(study, space, find("quick"))
    study.ask()
    _, notes = begin_study(study, space, find("quick", "run"))
    assert enqueued(study) == [{"x": 0.5, "n": 3}]
    assert notes == ["start from run: x=0.5 n=3"]


def test_history_is_kept_when_the_study_is_continued(find, make_study, space):
    make_study("old", PARAMS, [(0.1, {"x": 0.1, "n": 1})])
    study = make_study("new", PARAMS, [])
    begin_study(study, space, find("old"))
    history, _ = begin_study(study, space, find())
    assert [trial.params for trial in history] == [{"x": 0.1, "n": 1}]


def test_a_study_with_other_fixed_values_gives_its_best_point_only(find, make_study, space):
    make_study("old", PARAMS, [(0.1, {"x": 0.1, "n": 1})], epochs=9)
    study = make_study("new", PARAMS, [])
    history, _ = begin_study(study, space, find("old"))
    assert not history
    assert enqueued(study) == [{"x": 0.1, "n": 1}]


def test_a_study_that_was_deleted_is_no_history(find, make_study, space, storage):
    make_study("old", PARAMS, [(0.1, {"x": 0.1, "n": 1})])
    study = make_study("new", PARAMS, [])
    begin_study(study, space, find("old"))
    optuna.delete_study(study_name="old", storage=storage)
    assert begin_study(study, space, find()) == ([], [])


def test_a_study_cannot_start_from_itself(find, make_study, space):
    study = make_study("new", PARAMS, [(0.1, {"x": 0.1, "n": 1})])
    with pytest.raises(SweepError) as caught:
        begin_study(study, space, find("new"))
    assert str(caught.value) == (
        "sweep.start_from: must not name the study that this command continues; found new. "
        "Give sweep.new=true or another hydra.sweeper.study_name"
    )


def test_a_wrong_name_is_refused(find, make_study):
    make_study("empty", PARAMS, [])
    with pytest.raises(
        SweepError, match=r"^sweep\.start_from: must be defaults or the name of a study, a"
    ):
        find("typo")
    with pytest.raises(SweepError, match="or the name of a study; found quick"):
        find("quick", finder=False)
    with pytest.raises(
        SweepError, match=r"^sweep.start_from: .* with a finished trial; found empty"
    ):
        find("empty")


def test_a_study_whose_trials_all_violate_its_constraints_has_no_point(
    find, make_study, space, storage
):
    study = make_study("small", PARAMS, [(0.1, {"x": 0.1, "n": 1})])
    storage.create_new_trial(study._study_id, template_trial=make_violating_trial())
    assert find("small").points == {"small": [{"x": 0.1, "n": 1}]}
    study = make_study("large", PARAMS, [])
    storage.create_new_trial(study._study_id, template_trial=make_violating_trial())
    with pytest.raises(
        SweepError, match="a trial that satisfies their constraints; found large"
    ):
        find("large")
    extending = make_study("new", PARAMS, [])
    record_extension(storage, "new", "large")
    begin_study(optuna.load_study(study_name="new", storage=storage), space, find())
    assert enqueued(extending) == []


def make_violating_trial():
    trial = optuna.trial.create_trial(value=0.5)
    trial.set_constraint("size", 1.0)
    trial.set_user_attr("violated", "size<=1: found 2")
    return trial


def test_a_point_without_any_value_in_the_space_is_refused(find, make_study):
    make_study("far", {"x": "interval(5.0,6.0)"}, [(0.1, {"x": 5.5})])
    with pytest.raises(
        SweepError, match=r"a value of x, n in the space; found far with x=5\.5"
    ):
        find("far")


def test_the_best_trial_of_a_study_includes_the_values_that_its_trials_share(
    find, make_study, space
):
    params = {"x": "interval(0.0,1.0)"}
    other = read_space(params, ["n=2", "epochs=3", "~y"])
    source = make_study("source", params, [])
    source.set_user_attr("fixed_overrides", {"n": "2", "epochs": "3", "~y": "deleted"})
    source.enqueue_trial({"x": 0.5})
    trial = source.ask()
    other.suggest(trial, lambda key: None)
    source.tell(trial, 1.0)
    assert find("source").points == {"source": [{"x": 0.5, "n": 2}]}


def test_a_grid_has_no_first_points(find):
    with pytest.raises(SweepError, match="must be empty with a grid"):
        find("defaults", sampler=GridSampler({"x": [1]}))


def test_an_extension_starts_from_all_that_it_extends(find, make_study, space, storage):
    make_study("s", {"x": "interval(0.0,0.5)", "n": "choice(1)"}, [(0.3, {"x": 0.1, "n": 1})])
    points = [(0.9, {"x": 0.9, "n": 2}), (0.4, {"x": 1.5, "n": 2})]
    make_study("s-2", {"x": "interval(0.0,2.0)", "n": "choice(1,2)"}, points)
    study = make_study("s-3", PARAMS, [])
    record_extension(storage, "s-2", "s")
    record_extension(storage, "s-3", "s-2")
    study = optuna.load_study(study_name="s-3", storage=storage)
    assert [one.study_name for one in list_extended(study)] == ["s-2", "s"]

    history, notes = begin_study(study, space, find())
    assert enqueued(study) == [{"x": 0.9, "n": 2}]
    assert [t.params for t in history] == [{"x": 0.9, "n": 2}, {"x": 0.1, "n": 1}]
    assert notes == [
        "extends study s-2: n from choice(1, 2) to choice(1, 2, 3), "
        "x from interval(0.0, 2.0) to interval(0.0, 1.0)",
        "the sampler learns from 2 trials of s-2, s",
    ]

    again, _ = begin_study(study, space, find())
    assert enqueued(study) == [{"x": 0.9, "n": 2}]
    assert len(again) == 2


def test_an_extension_with_other_fixed_values_learns_nothing(find, make_study, space, storage):
    make_study("s", PARAMS, [(0.3, {"x": 0.1, "n": 1})], epochs=9)
    make_study("s-2", PARAMS, [])
    record_extension(storage, "s-2", "s")
    study = optuna.load_study(study_name="s-2", storage=storage)
    history, notes = begin_study(study, space, find())
    assert not history
    assert enqueued(study) == [{"x": 0.1, "n": 1}]
    assert notes == ["extends study s: epochs from 9 to 3"]
