"""Checks the values of a search before its study is created.

Otherwise a mistyped value would be found by the first trial that has it, after the study has
been created with a space that the corrected command then contradicts.
"""

from collections.abc import Callable, Iterator
from typing import Any

import optuna
from hydra.types import HydraContext
from omegaconf import DictConfig
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers import RandomSampler

from hydra_plugins.framesweep_sweeper.search._space import (
    Dimension,
    SearchSpace,
    normalize_value,
    strip_affixes,
)
from hydra_plugins.framesweep_sweeper.sweep._jobs import suggest_overrides
from hydra_plugins.framesweep_sweeper.sweep._listener import Listener

MOST_CHOICES = 20
"""Number of choices of a key that are checked, each of which takes some 20 ms."""


def check_values(
    space: SearchSpace,
    hydra_context: HydraContext,
    config: DictConfig,
    custom: Callable[[DictConfig, Any], Any] | None,
    listener: Listener,
) -> None:
    """Compose the config of each choice and bound, with the first values of the other keys.

    A config that does not fit together for another reason than a searched key is left to its
    trial: with other values it may.

    Args:
        space: the search space.
        hydra_context: the context that Hydra hands to a sweeper; it composes configs.
        config: the config of the sweep.
        custom: the function of `hydra.sweeper.custom_search_space`, or None.
        listener: its method `validate`, if it has one, raises an error for a config that the
            application refuses.

    Raises:
        Exception: whatever Hydra raises for an override that does not fit the config, or the
            listener for the value of a key.
    """
    validate = getattr(listener, "validate", None)
    study = optuna.create_study(sampler=RandomSampler(seed=0))  # in memory
    keys = {strip_affixes(d.key) for d in space.dimensions} | {*map(strip_affixes, space.fixed)}
    for point in _list_points(space):
        study.enqueue_trial(point)
        overrides = suggest_overrides(space, config, custom, study.ask())
        composed = hydra_context.config_loader.load_sweep_config(config, overrides)
        try:
            if validate is not None:
                validate(composed)
        except Exception as error:
            if str(error).partition(":")[0] in keys:
                raise


def _list_points(space: SearchSpace) -> Iterator[dict[str, Any]]:
    """Yield a point for each value to check, in which the conditions of its key hold."""
    sampled = {strip_affixes(d.key): d for d in space.sampled}
    first = {d.key: next(iter(_list_values(d)), None) for d in sampled.values()}
    for dimension in sampled.values():
        for value in _list_values(dimension):
            yield {**first, **_meet_conditions(dimension, sampled), dimension.key: value}


def _meet_conditions(dimension: Dimension, sampled: dict[str, Dimension]) -> dict[str, Any]:
    """Return values of the keys on which a key depends, for which it is searched."""
    chosen: dict[str, Any] = {}
    for condition in dimension.conditions:
        parent = sampled.get(condition.key)
        if parent is None:
            continue
        fitting = [v for v in _list_values(parent) if normalize_value(v) in condition.values]
        chosen |= _meet_conditions(parent, sampled)
        if fitting:
            chosen[parent.key] = fitting[0]
    return chosen


def _list_values(dimension: Dimension) -> list[Any]:
    """Return the choices of a key, or its bounds."""
    match dimension.distribution:
        case CategoricalDistribution(choices=choices):
            return list(choices[:MOST_CHOICES])
        case IntDistribution() | FloatDistribution() as d:
            return [d.low] if d.low == d.high else [d.low, d.high]
        case _:
            return []
