"""Builds samplers and pruners from their configs."""

import functools
import math
import warnings
import zlib
from typing import Any, cast

import optuna
from hydra.core.override_parser.types import FloatRange
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.pruners import BasePruner
from optuna.samplers import BaseSampler, GridSampler, QMCSampler

from hydra_plugins.framesweep_sweeper._errors import SweepError
from hydra_plugins.framesweep_sweeper.search._space import SearchSpace

SAMPLER_TARGETS = ("hydra_plugins.hydra_optuna_sweeper.*", "optuna.samplers.*")
PRUNER_TARGETS = ("optuna.pruners.*",)


def build_sampler(config: DictConfig, space: SearchSpace, begun: int) -> BaseSampler:
    """The sampler for a sweeper that joins a study in which `begun` trials have begun.

    A seeded sampler would draw the same points again in every process that joins; only the
    first one takes the seed as it is, later ones a seed that follows from it and `begun`.

    Raises:
        SweepError: a field that does not fit, or a grid over what is not discrete.
    """
    config = OmegaConf.create(
        cast(dict[str, Any], OmegaConf.to_container(config, resolve=True))
    )
    if begun and config.get("seed") is not None and not _continues_sequence(config):
        config.seed = zlib.crc32(f"{config.seed}/{begun}".encode())
    sampler = _build("hydra.sweeper.sampler", config, SAMPLER_TARGETS)
    if isinstance(sampler, functools.partial):
        return GridSampler(list_grid_values(space), **sampler.keywords)
    if not isinstance(sampler, BaseSampler):
        raise SweepError(f"hydra.sweeper.sampler: {config._target_} is no Optuna sampler")
    return sampler


def build_pruner(config: Any) -> BasePruner:
    """The pruner of a config, which may be a plain dict.

    Raises:
        SweepError: a field that does not fit.
    """
    pruner = _build("hydra.sweeper.pruner", OmegaConf.create(config), PRUNER_TARGETS)
    if not isinstance(pruner, BasePruner):
        raise SweepError("hydra.sweeper.pruner: must build an Optuna pruner")
    return pruner


def list_grid_values(space: SearchSpace) -> dict[str, list[Any]]:
    """Every value of every dimension.

    Raises:
        SweepError: a dimension is continuous or conditional.
    """
    return {d.key: _values(d.key, d.distribution, d.conditions) for d in space.searched}


def count_grid_points(sampler: BaseSampler, space: SearchSpace) -> float:
    """How many points a grid has; infinite for other samplers."""
    if not isinstance(sampler, GridSampler):
        return math.inf
    return math.prod(len(values) for values in list_grid_values(space).values())


def _continues_sequence(config: DictConfig) -> bool:
    """Grids and quasi-random sequences keep their place in the study, not in their seed."""
    return str(config._target_).endswith((GridSampler.__name__, QMCSampler.__name__))


def _build(where: str, config: DictConfig, allowed: tuple[str, ...]) -> Any:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            return instantiate(config, _execution_whitelist_=allowed)
    except Exception as error:
        cause = error.__cause__ or error
        raise SweepError(f"{where}: {str(cause).splitlines()[0]}") from error


def _values(key: str, distribution: Any, conditions: tuple[Any, ...]) -> list[Any]:
    if conditions:
        raise SweepError(f"{key}: a grid cannot have conditions. Take another sampler")
    match distribution:
        case CategoricalDistribution(choices=choices):
            return list(choices)
        case IntDistribution() as d if not d.log:
            return list(range(d.low, d.high + 1, d.step))
        case FloatDistribution(step=float() as step) as d:
            return [*FloatRange(d.low, d.high, step), d.high]
        case _:
            raise SweepError(f"{key}: a grid needs choice(...) or range(...)")
