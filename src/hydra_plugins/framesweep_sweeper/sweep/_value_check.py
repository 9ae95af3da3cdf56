"""Checks the values and the conditions of a search before its study is created.

Otherwise a mistyped value would be found by the first trial that has it, after the study has
been created with a space that the corrected command then contradicts.
"""

import difflib
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import optuna
from hydra.types import HydraContext
from omegaconf import DictConfig, OmegaConf
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers import RandomSampler

from hydra_plugins.framesweep_sweeper._errors import SweepError
from hydra_plugins.framesweep_sweeper._wrong_values import find_wrong_value
from hydra_plugins.framesweep_sweeper.search._space import (
    Dimension,
    SearchSpace,
    normalize_value,
    strip_affixes,
)
from hydra_plugins.framesweep_sweeper.search._space_reader import PARAMS
from hydra_plugins.framesweep_sweeper.sweep._jobs import suggest_overrides
from hydra_plugins.framesweep_sweeper.sweep._listener import Listener

NEAR_END = 1e-3
"""Share of a continuous interval between its bounds and the values that are tried: the bound
itself is never drawn, and may be outside of a key's range."""


class _NearEnd(float):
    """A value near the end of a continuous interval."""

    end: float


def _near_end(end: float, margin: float) -> _NearEnd:
    value = _NearEnd(end + margin)
    value.end = end
    return value


def check_values(
    hydra_context: HydraContext,
    config: DictConfig,
    listener: Listener,
    space: SearchSpace,
    custom: Callable[[DictConfig, Any], Any] | None,
) -> None:
    """Compose the config of each choice and bound, as `find_wrong_value` chooses the points.

    Args:
        hydra_context: the context that Hydra hands to a sweeper; it composes configs.
        config: the config of the sweep.
        listener: its method `validate`, if it has one, raises an error for a config that the
            application refuses.
        space: the search space.
        custom: the function of `hydra.sweeper.custom_search_space`, or None.

    Raises:
        Exception: whatever Hydra raises for an override that does not fit the config, or the
            listener for the value of a key.
    """
    validate = getattr(listener, "validate", None)
    study = optuna.create_study(sampler=RandomSampler(seed=0))  # in memory
    keys = {*map(strip_affixes, [*(d.key for d in space.dimensions), *space.fixed])}

    def check(values: list[dict[str, Any]]) -> Exception | None:
        point = {key: value for one in values for key, value in one.items()}
        error = try_point(point)
        for key, value in point.items():
            named = error is not None and str(error).partition(":")[0] == strip_affixes(key)
            if named and isinstance(value, _NearEnd):
                # The end of the interval is what the user has typed.
                return try_point({**point, key: value.end}) or error
        return error

    def try_point(point: dict[str, Any]) -> Exception | None:
        study.enqueue_trial(point)
        overrides = suggest_overrides(space, config, custom, study.ask())
        try:
            composed = hydra_context.config_loader.load_sweep_config(config, overrides)
        except Exception as error:
            return error
        try:
            if validate is not None:
                validate(composed)
        except Exception as error:
            # What does not fit together for another reason is left to the trial.
            return error if str(error).partition(":")[0] in keys else None
        return None

    if (wrong := find_wrong_value(list(_list_axes(space)), check)) is not None:
        raise wrong


def check_conditions(space: SearchSpace, config: DictConfig) -> None:
    """Check that each condition is on a key that exists; another one would never hold.

    Raises:
        SweepError: a key is neither searched nor fixed, nor in the config or its group choices.
    """
    choices = config.hydra.runtime.choices
    known = [*map(strip_affixes, [*(d.key for d in space.dimensions), *space.fixed]), *choices]
    for dimension in space.dimensions:
        for condition in dimension.conditions:
            parent = condition.key.rpartition(".")[0]
            siblings = _list_keys(config, parent)
            if condition.key in {*known, *siblings}:
                continue
            similar = difflib.get_close_matches(condition.key, [*known, *siblings], n=1)
            fix = f". Type {similar[0]}" if similar else ""
            raise SweepError(
                f"{PARAMS}.{dimension.key}.when: must name a key of the config or of the "
                f"search; found {condition.key}{fix}"
            )


def _list_keys(config: DictConfig, parent: str) -> list[str]:
    """Return the full keys below `parent`; "" stands for the config itself."""
    select = partial(OmegaConf.select, config, throw_on_resolution_failure=False)
    node = select(parent) if parent else config
    prefix = f"{parent}." if parent else ""
    return [prefix + str(name) for name in node] if isinstance(node, DictConfig) else []


def _list_axes(space: SearchSpace) -> Iterator[list[dict[str, Any]]]:
    """Yield the values of each key, with those of the keys on which it depends."""
    sampled = {strip_affixes(d.key): d for d in space.sampled}
    for dimension in sampled.values():
        needed = _meet_conditions(dimension, sampled)
        values = [{**needed, dimension.key: value} for value in _list_values(dimension)]
        # Where the key is absent, the others are free.
        yield [{}, *values] if dimension.conditions else values


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
    """Return the choices of a key, or values at its bounds."""
    match dimension.distribution:
        case CategoricalDistribution(choices=choices):
            return list(choices)
        case FloatDistribution(step=None) as d:
            margin = NEAR_END * (d.high - d.low)
            return [_near_end(d.low, margin), _near_end(d.high, -margin)]
        case IntDistribution() | FloatDistribution() as d:
            return [d.low] if d.low == d.high else [d.low, d.high]
        case _:
            return []
