import optuna
import pytest
from omegaconf import OmegaConf

from hydra_plugins.framesweep_sweeper._errors import SweepError
from hydra_plugins.framesweep_sweeper.config import PRUNERS
from hydra_plugins.framesweep_sweeper.search._samplers import (
    build_pruner,
    build_sampler,
    count_grid_points,
    list_grid_values,
)
from hydra_plugins.framesweep_sweeper.search._space import read_space

FIELDS = {"threshold": {"lower": 0.1}}


def config(name, **fields):
    return OmegaConf.create({"_target_": f"optuna.samplers.{name}", **fields})


def first_draw(sampler):
    study = optuna.create_study(sampler=sampler)
    return study.ask().suggest_float("x", 0, 1)


@pytest.mark.parametrize("name", PRUNERS)
def test_every_pruner_is_built(name):
    pruner = build_pruner(OmegaConf.structured(PRUNERS[name](**FIELDS.get(name, {}))))
    assert isinstance(pruner, optuna.pruners.BasePruner)


def test_patient_wraps_another():
    inner = {"_target_": "optuna.pruners.MedianPruner"}
    node = {"_target_": "optuna.pruners.PatientPruner", "wrapped_pruner": inner, "patience": 1}
    assert isinstance(build_pruner(node)._wrapped_pruner, optuna.pruners.MedianPruner)


def test_seeded_samplers_draw_anew_in_every_sweeper_that_joins():
    space = read_space({}, ["x=interval(0.0,1.0)"])
    node = config("TPESampler", seed=7)
    plain = first_draw(optuna.samplers.TPESampler(seed=7))
    draws = [first_draw(build_sampler(node, space, begun)) for begun in (0, 3, 4)]
    assert draws[0] == plain
    assert len(set(draws)) == 3
    assert draws[1] == first_draw(build_sampler(node, space, 3))


def test_a_grid_has_every_value():
    space = read_space({}, ["a=choice(x,y)", "b=range(1,8,3)", "c=range(0.0,1.0,0.5)", "d=1"])
    assert list_grid_values(space) == {"a": ["x", "y"], "b": [1, 4, 7], "c": [0.0, 0.5]}
    node = config("GridSampler", _partial_=True, seed=1)
    assert count_grid_points(build_sampler(node, space, 0), space) == 12
    assert count_grid_points(optuna.samplers.RandomSampler(), space) == float("inf")


@pytest.mark.parametrize(
    "arguments", [["a=interval(0.0,1.0)"], ["a=int(tag(log,interval(1,9)))"]]
)
def test_a_grid_of_what_is_not_discrete_is_refused(arguments):
    with pytest.raises(SweepError, match="a grid needs"):
        list_grid_values(read_space({}, arguments))


def test_wrong_fields_and_targets_are_named():
    space = read_space({}, ["x=interval(0.0,1.0)"])
    with pytest.raises(SweepError, match=r"hydra\.sweeper\.sampler"):
        build_sampler(config("TPESampler", no_such=1), space, 0)
    with pytest.raises(SweepError, match=r"hydra\.sweeper\.pruner"):
        build_pruner({"_target_": "os.system", "command": "true"})
    with pytest.raises(SweepError, match="Percentile must be between"):
        build_pruner({"_target_": "optuna.pruners.PercentilePruner", "percentile": 400.0})
