"""Checks a grid before anything of it is run or recorded."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import cast

from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf

from framesweep.config.command_line import SWEEP_DIRECTORY
from framesweep.config.effects import effect_of, free_overrides
from framesweep.errors import ConfigError
from framesweep.sweeps.context import require_valid, to_bare_key
from hydra_plugins.framesweep_sweeper._hydra import MULTIRUN
from hydra_plugins.framesweep_sweeper._wrong_values import find_wrong_value
from hydra_plugins.framesweep_sweeper.grid import Axes, check_grid

GRID_SWEEPER = "basic"
"""Name of the sweeper of plain grids."""

NUMBERED = "${hydra.job.num}"
"""The default of hydra.sweep.subdir: the directories of the runs are their numbers."""

SEARCH_KEYS = {"sweep.start_from": "[]", "sweep.extend": "false", "sweep.new": "false"}
"""Keys that have no effect on a grid, with their defaults."""


SHARED_KEYS = ("objective", "further_objectives", "outputs", "sweep")
"""Keys that say how the runs of a sweep are compared, and where they are."""


def require_shared_keys(config: DictConfig, swept: Mapping[str, str]) -> None:
    """Raise ConfigError if runs of a sweep would differ in what all of them need to share.

    Args:
        config: the config of the sweep.
        swept: bare key -> what the command line sweeps.
    """
    params = OmegaConf.select(config, "hydra.sweeper.params") or {}
    found = {to_bare_key(str(key)): value for key, value in params.items()} | dict(swept)
    for key in SHARED_KEYS:
        if key in found:
            rule = "must be the same for all runs of a sweep"
            fix = "Start a sweep for each of them."
            raise ConfigError(key, rule, found=str(found[key]), fix=fix)


def require_no_search_keys(overrides: list[str]) -> None:
    """Raise ConfigError for keys that say from what a search starts."""
    for override in overrides:
        key, value = to_bare_key(override), override.partition("=")[2]
        if SEARCH_KEYS.get(key, value) != value:
            raise ConfigError(key, "needs a search", found=value, fix="Add sweep=bare.")


def require_preview(config: DictConfig) -> None:
    """Raise ConfigError if the sweeper of a config has no preview, and would run its jobs."""
    sweeper = config.hydra.runtime.choices["hydra/sweeper"]
    if sweeper != GRID_SWEEPER:
        raise ConfigError(
            "sweep.preview",
            "needs a grid, or a search by sweep=bare or another option of sweep",
            found=f"hydra/sweeper={sweeper}",
            fix="Leave it out, or choose another sweeper.",
        )


def read_axes(overrides: list[str]) -> Axes:
    """Return the axes of a grid, which has a run for each combination of their values.

    Raises:
        HydraException: as `check_grid`.
    """
    # glob(...) needs the options that Hydra found, also in folders of the user's own.
    loader = GlobalHydra.instance().config_loader()
    return check_grid(OverridesParser.create(config_loader=loader).parse_overrides(overrides))


def count_points(axes: Axes) -> int:
    """Return the number of runs of a grid."""
    return math.prod(map(len, axes))


def require_grid(config: DictConfig, overrides: list[str]) -> int:
    """Check the keys of a grid and their values, before anything of it is recorded.

    What does not fit together for another reason than one of the keys is left to the run that
    has it. Other sweepers, such as Optuna's, have rules of their own.

    Raises:
        HydraException: a key is not discrete or has no value, the numbers of paired values
            differ, or a key or a value does not fit the config.
        ConfigError: a value breaks its rule, or the directory is that of another grid.
    """
    if config.hydra.runtime.choices["hydra/sweeper"] != GRID_SWEEPER:
        return 0
    size = config.hydra.sweeper.max_batch_size
    if size is not None and not (type(size) is int and (size >= 1 or size == -1)):
        rule = "must be 1 or more, or null"
        raise ConfigError("hydra.sweeper.max_batch_size", rule, found=size)
    loader, axes = GlobalHydra.instance().config_loader(), read_axes(overrides)
    keys = {to_bare_key(override) for override in overrides}

    def check(point: list[tuple[str, ...]]) -> Exception | None:
        try:
            require_valid(
                loader.load_sweep_config(config, [text for one in point for text in one])
            )
        except ConfigError as error:
            return error if error.where in keys else None
        except HydraException as error:
            return error
        return None

    if (wrong := find_wrong_value(axes, check)) is not None:
        raise wrong
    _require_same_grid(config, overrides)
    if (num_points := count_points(axes)) > 1:
        _require_own_folders(config)
    return num_points


def _require_own_folders(config: DictConfig) -> None:
    """Raise ConfigError if the runs of a grid would have the same folder."""
    sweep = OmegaConf.to_container(config.hydra.sweep, resolve=False)
    assert isinstance(sweep, dict)
    subdir = str(sweep["subdir"])
    if "${" not in subdir:
        rule = "must give each run of a grid a folder of its own"
        fix = f"Type 'hydra.sweep.subdir={subdir}/{NUMBERED}', or leave it out."
        raise ConfigError("hydra.sweep.subdir", rule, found=subdir, fix=fix)


def _require_same_grid(config: DictConfig, overrides: list[str]) -> None:
    """Raise ConfigError if runs of the same numbers belong to another grid in the directory."""
    sweep = OmegaConf.to_container(config.hydra.sweep, resolve=False)
    assert isinstance(sweep, dict)
    path = Path(config.hydra.sweep.dir) / MULTIRUN
    if sweep["subdir"] != NUMBERED or not path.exists():
        return
    earlier = _select_results(list_grid_overrides(cast(DictConfig, OmegaConf.load(path))))
    if earlier != _select_results(overrides):
        raise ConfigError(
            SWEEP_DIRECTORY,
            f"must not be that of another grid, whose keys were {' '.join(earlier)}",
            found=config.hydra.sweep.dir,
            fix="Type these keys to continue it, or leave this key out to start another one.",
        )


def _select_results(overrides: list[str]) -> list[str]:
    """Return the overrides that a run cannot change when it is resumed."""
    free = free_overrides()  # which has groups, too
    keys = map(to_bare_key, overrides)
    return [
        text
        for text, key in zip(overrides, keys, strict=True)
        if key not in free and effect_of(key) == "result"
    ]


def list_grid_overrides(config: DictConfig) -> list[str]:
    """Return the overrides of all jobs: those of the sweeper's config, and those typed."""
    params = OmegaConf.select(config, "hydra.sweeper.params") or {}
    return [*(f"{key}={value}" for key, value in params.items()), *config.hydra.overrides.task]
