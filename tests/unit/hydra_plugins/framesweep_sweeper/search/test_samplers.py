from typing import Any

import optuna
import pytest
from omegaconf import OmegaConf

from hydra_plugins.framesweep_sweeper._errors import SweepError
from hydra_plugins.framesweep_sweeper._pruner_schemas import (
    MEDIAN_ONLY,
    PRUNERS,
    DefaultPrunerConf,
)
from hydra_plugins.framesweep_sweeper.search._extrapolation import ExtrapolationPruner
from hydra_plugins.framesweep_sweeper.search._ordered import OrderedSampler
from hydra_plugins.framesweep_sweeper.search._prior import PriorSampler
from hydra_plugins.framesweep_sweeper.search._samplers import (
    build_pruner,
    build_sampler,
    count_grid_points,
    list_grid_values,
)
from hydra_plugins.framesweep_sweeper.search._space_reader import read_space
from hydra_plugins.hydra_optuna_sweeper import config as stock

FIELDS = {"threshold": {"lower": 0.1}}


def make_config(name, **fields):
    return OmegaConf.create({"_target_": f"optuna.samplers.{name}", **fields})


def draw(sampler):
    study = optuna.create_study(sampler=sampler)
    return study.ask().suggest_float("x", 0, 1)


@pytest.mark.parametrize("name", PRUNERS)
def test_every_pruner_can_be_built(name):
    fields: dict[str, Any] = FIELDS.get(name, {})
    pruner = build_pruner(OmegaConf.structured(PRUNERS[name](**fields)))
    assert isinstance(pruner, optuna.pruners.BasePruner)


def test_a_package_that_a_sampler_or_pruner_needs_is_missed_before_the_first_trial(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(SweepError) as error:
        build_sampler(make_config("CmaEsSampler"), read_space({}, ["x=interval(0.0,1.0)"]), 0)
    assert str(error.value) == (
        "hydra.sweeper.sampler: CmaEsSampler needs cmaes, which is not installed. "
        "Run: pip install cmaes"
    )
    with pytest.raises(SweepError, match="WilcoxonPruner needs scipy"):
        build_pruner(OmegaConf.structured(PRUNERS["wilcoxon"]()))


def test_choices_are_ordered_for_the_samplers_that_say_so():
    space = read_space({}, ["x=choice(1,2,3)"])
    ordered = make_config("TPESampler", seed=0, multivariate=True, ordered_choices=True)
    sampler = build_sampler(ordered, space, 0)
    assert isinstance(sampler, OrderedSampler)
    assert isinstance(sampler.sampler, optuna.samplers.TPESampler)
    ordered.ordered_choices = False
    assert isinstance(build_sampler(ordered, space, 0), optuna.samplers.TPESampler)


def test_the_default_pruner_extrapolates():
    pruner = build_pruner(OmegaConf.structured(DefaultPrunerConf(deviations=0.5)))
    assert pruner == ExtrapolationPruner(n_startup_trials=3, deviations=0.5)
    given = OmegaConf.structured(DefaultPrunerConf(n_startup_trials=7, deviations=0.5))
    assert build_pruner(given) == ExtrapolationPruner(n_startup_trials=7, deviations=0.5)


def test_an_argument_of_the_earlier_default_pruner_still_selects_it():
    given = OmegaConf.structured(DefaultPrunerConf(n_startup_trials=2, n_warmup_steps=0))
    pruner: Any = build_pruner(OmegaConf.to_container(given))
    assert isinstance(pruner, optuna.pruners.MedianPruner)
    assert (pruner._n_startup_trials, pruner._n_warmup_steps, pruner._interval_steps) == (
        2,
        0,
        1,
    )


@pytest.mark.parametrize("name", MEDIAN_ONLY)
def test_arguments_of_two_pruners_are_refused_together(name):
    given = OmegaConf.structured(DefaultPrunerConf(deviations=0.5))
    given[name] = 2
    with pytest.raises(SweepError) as error:
        build_pruner(given)
    assert str(error.value) == (
        f"hydra.sweeper.pruner.{name}: must not be given together with deviations, as it "
        "selects the median pruner; found 2. Remove one of them"
    )


def test_the_patient_pruner_wraps_another_one():
    inner = {"_target_": "optuna.pruners.MedianPruner"}
    node = {"_target_": "optuna.pruners.PatientPruner", "wrapped_pruner": inner, "patience": 1}
    pruner: Any = build_pruner(node)
    assert isinstance(pruner._wrapped_pruner, optuna.pruners.MedianPruner)


def test_a_sampler_with_a_prior_needs_defaults_to_use_it():
    space, node = read_space({}, ["x=interval(0.0,1.0)"]), make_config("TPESampler", seed=1)
    node.prior_trials = 3
    plain = optuna.samplers.TPESampler
    assert isinstance(build_sampler(node, space, 0, {"x": 0.5}), PriorSampler)
    assert isinstance(build_sampler(node, space, 0), plain)
    node.prior_trials = 0
    assert isinstance(build_sampler(node, space, 0, {"x": 0.5}), plain)


@pytest.mark.parametrize("value", [-1, 0.5, "many"])
def test_a_wrong_number_of_prior_trials_is_rejected(value):
    node = make_config("TPESampler", prior_trials=value)
    with pytest.raises(SweepError) as error:
        build_sampler(node, read_space({}, ["x=interval(0.0,1.0)"]), 0)
    assert str(error.value) == (
        f"hydra.sweeper.sampler.prior_trials: must be a whole number, at least 0; found {value}"
    )


def test_each_sweeper_that_joins_draws_other_points_from_the_same_seed():
    space = read_space({}, ["x=interval(0.0,1.0)"])
    node = make_config("TPESampler", seed=7)
    plain = draw(optuna.samplers.TPESampler(seed=7))
    draws = [draw(build_sampler(node, space, num_begun)) for num_begun in (0, 3, 4)]
    assert draws[0] == plain
    assert len(set(draws)) == 3
    assert draws[1] == draw(build_sampler(node, space, 3))


def test_a_quasi_random_sequence_keeps_its_seed_when_a_sweeper_joins():
    space = read_space({}, ["x=interval(0.0,1.0)"])
    node = make_config("QMCSampler", seed=7)
    samplers: list[Any] = [build_sampler(node, space, num_begun) for num_begun in (0, 3)]
    assert [sampler._seed for sampler in samplers] == [7, 7]


def test_a_grid_has_every_value():
    space = read_space({}, ["a=choice(x,y)", "b=range(1,8,3)", "c=range(0.0,1.0,0.5)", "d=1"])
    assert list_grid_values(space) == {"a": ["x", "y"], "b": [1, 4, 7], "c": [0.0, 0.5]}
    node = make_config("GridSampler", _partial_=True, seed=1)
    assert count_grid_points(build_sampler(node, space, 0), space) == 12
    assert count_grid_points(optuna.samplers.RandomSampler(), space) == float("inf")


@pytest.mark.parametrize(
    "arguments", [["a=interval(0.0,1.0)"], ["a=int(tag(log,interval(1,9)))"]]
)
def test_a_grid_over_continuous_keys_is_refused(arguments):
    with pytest.raises(SweepError, match="a grid needs"):
        list_grid_values(read_space({}, arguments))


def test_a_grid_over_conditional_keys_is_refused():
    space = read_space({"a": {"when": "b=1", "space": "choice(1,2)"}}, [])
    with pytest.raises(SweepError) as error:
        list_grid_values(space)
    assert str(error.value) == (
        "a: a key of a grid must have no conditions; found choice(1, 2) when b=1. "
        "Choose another hydra/sweeper/sampler"
    )


def test_wrong_fields_and_targets_are_refused_with_their_key():
    space = read_space({}, ["x=interval(0.0,1.0)"])
    with pytest.raises(SweepError, match=r"hydra\.sweeper\.sampler"):
        build_sampler(make_config("TPESampler", no_such=1), space, 0)
    with pytest.raises(SweepError, match=r"hydra\.sweeper\.pruner"):
        build_pruner({"_target_": "os.system", "command": "true"})
    with pytest.raises(SweepError, match="Percentile must be between"):
        build_pruner({"_target_": "optuna.pruners.PercentilePruner", "percentile": 400.0})


def test_an_argument_that_a_pruner_or_sampler_lacks_is_named_as_a_key():
    with pytest.raises(SweepError) as error:
        build_pruner({"_target_": "optuna.pruners.MedianPruner", "seed": 1})
    assert str(error.value) == (
        "hydra.sweeper.pruner.seed: no such key. Remove it, or choose an option of "
        "hydra/sweeper/pruner that has it"
    )


def test_a_class_that_is_no_sampler_is_refused_by_name():
    space = read_space({}, ["x=interval(0.0,1.0)"])
    config = OmegaConf.create({"_target_": "optuna.samplers.nsgaii.UniformCrossover"})
    with pytest.raises(SweepError, match=r"must be a sampler of Optuna; found .*Crossover"):
        build_sampler(config, space, 0)


STOCK_SAMPLERS = [
    node
    for name, node in vars(stock).items()
    if name.endswith("SamplerConfig")
    and node not in (stock.SamplerConfig, stock.MOTPESamplerConfig)
]


@pytest.mark.parametrize("node", STOCK_SAMPLERS, ids=lambda node: node.__name__)
def test_each_sampler_of_hydra_optuna_sweeper_suggests_values_as_it_is_configured(node):
    if node is stock.CmaEsSamplerConfig:
        pytest.importorskip("cmaes")
    space = read_space({}, ["a=choice(1,2)", "b=choice(3,4)"])
    config = OmegaConf.structured(node)
    if "seed" in config:
        config.seed = 1
    study = optuna.create_study(sampler=build_sampler(config, space, 0))
    trial = study.ask({each.key: each.distribution for each in space.searched})
    assert trial.params["a"] in (1, 2)
    assert trial.params["b"] in (3, 4)


def test_the_sampler_that_optuna_has_removed_is_refused_with_its_successor():
    config = OmegaConf.structured(stock.MOTPESamplerConfig)
    with pytest.raises(SweepError, match=r"removed .* Use 'hydra/sweeper/sampler=tpe'"):
        build_sampler(config, read_space({}, ["a=choice(1,2)"]), 0)
