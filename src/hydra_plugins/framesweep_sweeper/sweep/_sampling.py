"""How the sampler of a search is made: with its history, and with the values of the config."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from hydra.types import HydraContext
from omegaconf import DictConfig
from optuna.samplers import BaseSampler
from optuna.trial import FrozenTrial

from hydra_plugins.framesweep_sweeper.search._bounded_history import with_bound
from hydra_plugins.framesweep_sweeper.search._history import with_history
from hydra_plugins.framesweep_sweeper.search._known_points import ABSENT
from hydra_plugins.framesweep_sweeper.search._samplers import build_sampler, uses_prior
from hydra_plugins.framesweep_sweeper.search._space import SearchSpace
from hydra_plugins.framesweep_sweeper.sweep._start import DEFAULTS, find_values

SamplerPlan = Callable[[SearchSpace, Sequence[FrozenTrial]], Callable[[int], BaseSampler]]
"""`plan_sampler` of a command, which is called with the study's space and history."""


def plan_sampler(
    settings: Mapping[str, Any],
    hydra_context: HydraContext,
    config: DictConfig,
    space: SearchSpace,
    history: Sequence[FrozenTrial],
) -> Callable[[int], BaseSampler]:
    """Return a function that makes a search's sampler from the number of trials begun.

    Args:
        settings: the settings of `hydra.sweeper`.
        hydra_context: the context that Hydra hands to a sweeper; it composes configs.
        config: the config of the sweep.
        space: the search space.
        history: trials of other studies, from which the sampler learns.
    """
    sampler = settings["sampler"]
    defaults = read_defaults(space, hydra_context, config) if uses_prior(sampler) else {}
    build = partial(build_sampler, sampler, space, defaults=defaults)
    return with_history(with_bound(build, settings["max_history"]), history)


def read_defaults(
    space: SearchSpace, hydra_context: HydraContext, config: DictConfig
) -> dict[str, Any]:
    """Return key -> value of the config without the sweep, for the keys that have one."""
    try:
        values = find_values(DEFAULTS, None, space, hydra_context, config)
    except Exception:
        return {}  # the first trial reports why its config is wrong
    return {key: v for key, v in values.items() if v is not ABSENT and v is not None}
