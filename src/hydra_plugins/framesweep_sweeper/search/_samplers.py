"""Building Optuna's samplers and pruners from their configs."""

import functools
import importlib.util
import math
import re
import warnings
import zlib
from collections.abc import Mapping
from typing import Any, cast

import optuna
from omegaconf import DictConfig, OmegaConf
from optuna.pruners import BasePruner
from optuna.samplers import BaseSampler, GridSampler, QMCSampler

from hydra_plugins.framesweep_sweeper._errors import SweepError
from hydra_plugins.framesweep_sweeper._hydra import instantiate_allowed
from hydra_plugins.framesweep_sweeper._pruner_schemas import (
    MEDIAN_ONLY,
    PRUNERS,
    DefaultPrunerConf,
    HyperbandPrunerConf,
    MedianPrunerConf,
)
from hydra_plugins.framesweep_sweeper.search._distributions import list_values
from hydra_plugins.framesweep_sweeper.search._hyperband import QuickHyperbandPruner
from hydra_plugins.framesweep_sweeper.search._ordered import OrderedSampler
from hydra_plugins.framesweep_sweeper.search._prior import PriorSampler
from hydra_plugins.framesweep_sweeper.search._space import SearchSpace

SAMPLER_TARGETS = ("hydra_plugins.hydra_optuna_sweeper.*", "optuna.samplers.*")
QUICK_HYPERBAND = f"{QuickHyperbandPruner.__module__}.{QuickHyperbandPruner.__name__}"
PRUNER_TARGETS = (
    *("optuna.pruners.*", QUICK_HYPERBAND),
    *(pruner._target_ for pruner in PRUNERS.values()),
)
"""What `_target_` may name; a config from elsewhere must not be able to run anything else."""

PRIOR_TRIALS = "prior_trials"
"""Field of a sampler's config; see PriorSampler."""

ORDERED_CHOICES = "ordered_choices"
"""Field of a sampler's config; see OrderedSampler."""

PACKAGES = {
    "CmaEsSampler": ("cmaes",),
    "GPSampler": ("torch", "scipy"),
    "QMCSampler": ("scipy",),
    "WilcoxonPruner": ("scipy",),
}
"""Packages that Optuna imports only when a sampler or pruner is used for the first time."""


def build_sampler(
    config: DictConfig,
    space: SearchSpace,
    num_begun: int,
    defaults: Mapping[str, Any] | None = None,
) -> BaseSampler:
    """Return the sampler of a sweeper.

    With one seed for all, each sweeper that joins a study would draw the same points as the
    first. So only the first one takes the seed as it is; later ones take a seed that follows
    from it and from `num_begun`.

    Args:
        config: `hydra.sweeper.sampler`.
        space: the search space.
        num_begun: the number of trials that the study has when the sweeper joins.
        defaults: key -> value of the config without the search, for samplers with a prior.

    Raises:
        SweepError: a field is unknown or wrong, a package is missing, or a grid was asked for
            a continuous key.
    """
    config = OmegaConf.create(
        cast(dict[str, Any], OmegaConf.to_container(config, resolve=True))
    )
    if num_begun and config.get("seed") is not None and not _continues_sequence(config):
        config.seed = zlib.crc32(f"{config.seed}/{num_begun}".encode())
    prior_trials = _pop_prior_trials(config)
    is_ordered = config.pop(ORDERED_CHOICES, False)
    sampler = _instantiate("hydra.sweeper.sampler", config, SAMPLER_TARGETS)
    if isinstance(sampler, functools.partial):
        # hydra-optuna-sweeper leaves the grid's values open, which follow from the space.
        return GridSampler(list_grid_values(space), **sampler.keywords)
    if not isinstance(sampler, BaseSampler):
        raise SweepError(
            f"hydra.sweeper.sampler: must be a sampler of Optuna; found {config._target_}"
        )
    _require_packages("hydra.sweeper.sampler", sampler)
    if is_ordered:
        sampler = OrderedSampler(sampler)
    if prior_trials and defaults:
        sampler = PriorSampler(sampler, defaults, prior_trials, config.get("seed"))
    return cast(BaseSampler, sampler)


def uses_prior(config: Mapping[str, Any]) -> bool:
    """Return whether the sampler of a config draws trials near the values of the config."""
    return bool(config.get(PRIOR_TRIALS))


def _pop_prior_trials(config: DictConfig) -> int:
    """Remove the field that is no argument of Optuna's sampler, and return its value."""
    found = config.pop(PRIOR_TRIALS, 0)
    if not isinstance(found, int) or found < 0:
        raise SweepError(
            f"hydra.sweeper.sampler.{PRIOR_TRIALS}: must be a whole number, at least 0; "
            f"found {found}"
        )
    return found


def build_pruner(config: Any) -> BasePruner:
    """Return the pruner of a config, which may also be a plain dict.

    Raises:
        SweepError: a field is unknown or wrong.
    """
    config = _choose_default_pruner(OmegaConf.create(config))
    if config.get("_target_") == HyperbandPrunerConf._target_:
        config._target_ = QUICK_HYPERBAND
    pruner = _instantiate("hydra.sweeper.pruner", config, PRUNER_TARGETS)
    if not isinstance(pruner, BasePruner):
        raise SweepError(
            f"hydra.sweeper.pruner: must be a pruner of Optuna; found {config._target_}"
        )
    _require_packages("hydra.sweeper.pruner", pruner)
    return pruner


def _choose_default_pruner(config: DictConfig) -> DictConfig:
    """Return the config of the pruner that `DefaultPrunerConf` stands for; others unchanged."""
    if config.get("_target_") != DefaultPrunerConf._target_ or MEDIAN_ONLY[0] not in config:
        return config
    given = {key: value for key, value in config.items() if value is not None}
    of_median = [name for name in MEDIAN_ONLY if name in given]
    if not of_median:
        return OmegaConf.create(given)
    if given.pop("deviations") != DefaultPrunerConf.deviations:
        raise SweepError(
            f"hydra.sweeper.pruner.{of_median[0]}: must not be given together with deviations, "
            f"as it selects the median pruner; found {given[of_median[0]]}. Remove one of them"
        )
    return OmegaConf.create(given | {"_target_": MedianPrunerConf._target_})


def list_grid_values(space: SearchSpace) -> dict[str, list[Any]]:
    """Return every value of every key that the sampler chooses.

    Raises:
        SweepError: a key is continuous or conditional.
    """
    values = {}
    for dimension in space.sampled:
        if dimension.conditions:
            raise SweepError(
                f"{dimension.key}: a key of a grid must have no conditions; "
                f"found {dimension.describe()}. Choose another hydra/sweeper/sampler"
            )
        assert dimension.distribution is not None
        values[dimension.key] = list_values(dimension.key, dimension.distribution)
    return values


def count_grid_points(sampler: BaseSampler, space: SearchSpace) -> float:
    """Return the number of points of a grid, or infinity for other samplers."""
    if not isinstance(sampler, GridSampler):
        return math.inf
    return math.prod(len(values) for values in list_grid_values(space).values())


def _require_packages(where: str, built: object) -> None:
    """Raise SweepError if a package is missing that a sampler or pruner needs later."""
    name = type(built).__name__
    missing = [one for one in PACKAGES.get(name, ()) if importlib.util.find_spec(one) is None]
    if missing:
        packages = " ".join(missing)
        raise SweepError(
            f"{where}: {name} needs {packages}, which is not installed. "
            f"Run: pip install {packages}"
        )


def _continues_sequence(config: DictConfig) -> bool:
    """Return whether a sampler with the same seed continues where the study has arrived.

    Grids and quasi-random sequences find their place in the study's trials.
    """
    return str(config._target_).endswith((GridSampler.__name__, QMCSampler.__name__))


def _instantiate(where: str, config: DictConfig, allowed: tuple[str, ...]) -> Any:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            return instantiate_allowed(config, allowed)
    except Exception as error:
        reason = str(error.__cause__ or error).splitlines()[0]
        unknown = re.search(r"unexpected keyword argument '(\w+)'", reason)
        if unknown is None:
            raise SweepError(f"{where}: {reason}") from error
        fix = f"Remove it, or choose an option of {where.replace('.', '/')} that has it"
        raise SweepError(f"{where}.{unknown[1]}: no such key. {fix}") from error
