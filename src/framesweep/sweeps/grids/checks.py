"""Checks a grid before anything of it is run or recorded."""

from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig

from framesweep.errors import ConfigError
from framesweep.sweeps.context import require_valid, to_bare_key
from hydra_plugins.framesweep_sweeper.grid import check_grid

GRID_SWEEPER = "basic"
"""Name of the sweeper of plain grids."""

SEARCH_KEYS = ("sweep.start_from", "sweep.extend", "sweep.new")
"""Keys that have no effect on a grid."""

MOST_VALUES = 50
"""Number of values of a key that are checked before a grid begins, each in some 30 ms."""


def require_no_search_keys(overrides: list[str]) -> None:
    """Raise ConfigError for keys that say from what a search starts."""
    for override in overrides:
        if (key := to_bare_key(override)) in SEARCH_KEYS:
            found = override.partition("=")[2]
            raise ConfigError(key, "needs a search", found=found, fix="Add sweep=bare.")


def require_grid(config: DictConfig, overrides: list[str]) -> None:
    """Check the keys of a grid and their values, before anything of it is recorded.

    Each value is checked together with the first values of the other keys. What does not fit
    together for another reason than one of the keys is left to the run that has it. Other
    sweepers, such as Optuna's, have rules of their own.

    Raises:
        HydraException: a key is not discrete or has no value, the numbers of paired values
            differ, or a key or a value does not fit the config.
        ConfigError: a value breaks its rule.
    """
    if config.hydra.runtime.choices["hydra/sweeper"] != GRID_SWEEPER:
        return
    # glob(...) needs the options that Hydra found, also in folders of the user's own.
    loader = GlobalHydra.instance().config_loader()
    axes = check_grid(OverridesParser.create(config_loader=loader).parse_overrides(overrides))
    keys = {to_bare_key(override) for override in overrides}
    first = [axis[0] for axis in axes]
    for i, axis in enumerate(axes):
        for value in axis[:MOST_VALUES]:
            point = [*first[:i], value, *first[i + 1 :]]
            composed = loader.load_sweep_config(
                config, [text for part in point for text in part]
            )
            try:
                require_valid(composed)
            except ConfigError as error:
                if error.where in keys:
                    raise
