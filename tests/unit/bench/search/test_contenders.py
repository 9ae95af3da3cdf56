"""The searches that are compared: those that ship, as their commands would start them."""

from dataclasses import replace

import optuna

from framesweep.bench.search import contenders
from framesweep.bench.search.contenders import (
    RANDOM,
    SAMPLERS,
    SHIPPED,
    build_contender,
    drop_unusable,
    list_contenders,
)
from hydra_plugins.framesweep_sweeper._pruner_schemas import PRUNERS
from hydra_plugins.framesweep_sweeper.search._extrapolation import ExtrapolationPruner
from hydra_plugins.framesweep_sweeper.search._samplers import build_pruner


def test_every_pruner_that_ships_is_compared() -> None:
    names = {contender.name for contender in list_contenders(samplers=[])}
    assert names - {SHIPPED, RANDOM} == {f"pruner={name}" for name in PRUNERS}


def test_every_sampler_that_ships_is_compared() -> None:
    from hydra.core.config_store import ConfigStore

    shipped = ConfigStore.instance().repo["hydra"]["sweeper"]["sampler"]
    names = {name.removesuffix(".yaml") for name in shipped} - {"motpe"}  # no longer exists
    assert {*SAMPLERS, "random"} == names


def test_a_contender_has_the_settings_that_its_command_has() -> None:
    contender = build_contender("halving", "hydra/sweeper/pruner=successive_halving")
    assert contender.pruner["_target_"] == "optuna.pruners.SuccessiveHalvingPruner"
    assert contender.sampler["_target_"] == build_contender("default").sampler["_target_"]
    assert contender.as_intervals


def test_a_sweep_is_shipped_with_a_prior_ordered_tpe_and_extrapolation() -> None:
    shipped = build_contender(SHIPPED)
    assert shipped.sampler["_target_"] == "optuna.samplers.TPESampler"
    assert shipped.sampler["multivariate"]
    assert shipped.sampler["ordered_choices"]
    assert shipped.sampler["prior_trials"] == 10
    assert build_pruner(shipped.pruner) == ExtrapolationPruner()
    earlier = build_contender("earlier", "hydra.sweeper.pruner.n_min_trials=3")
    assert isinstance(build_pruner(earlier.pruner), optuna.pruners.MedianPruner)


def test_a_sampler_that_cannot_be_built_is_left_out_with_its_reason(table) -> None:
    good = build_contender("good", "hydra/sweeper/sampler=random")
    bad = replace(good, name="bad", sampler={**good.sampler, "unknown": 1})
    usable, reasons = drop_unusable([good, bad], table)
    assert usable == [good]
    (reason,) = reasons
    assert reason.startswith("bad is left out: hydra.sweeper.sampler.unknown: no such key")


def test_the_shipped_and_the_random_search_come_first(monkeypatch) -> None:
    monkeypatch.setattr(contenders, "build_contender", lambda name, *overrides: name)
    names = list_contenders()
    assert names[:2] == [SHIPPED, RANDOM]
    assert len(set(names)) == len(names) == 2 + len(SAMPLERS) + len(PRUNERS)
