"""What Hydra does not promise to keep: internal classes, and the name of its allow-list.

A release of Hydra that moves or renames one of them requires a change here and nowhere else in
the sweeper. Optuna's private heartbeats are used by `storage._heartbeats` only, and the classes
of its tables by `storage._trial_parts` and `storage._table_storage`.
"""

import re
from collections.abc import Sequence
from typing import Any

from hydra._internal.core_plugins.basic_launcher import BasicLauncher
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

__all__ = [
    "MULTIRUN",
    "BasicLauncher",
    "BasicSweeper",
    "find_alias",
    "instantiate_allowed",
    "instantiate_own",
]

MULTIRUN = "multirun.yaml"
"""The file into which Hydra's own sweeper writes the config of a sweep."""


def find_alias(config: DictConfig, setting: str) -> str:
    """Return the key that sets `hydra.sweeper.<setting>`; an application may have an alias."""
    sweeper = OmegaConf.select(config, "hydra.sweeper", default=OmegaConf.create())
    raw = OmegaConf.to_container(sweeper, resolve=False)
    value = raw.get(setting) if isinstance(raw, dict) else None
    match = re.fullmatch(r"\$\{([\w.]+)\}", str(value))
    return match.group(1) if match else f"hydra.sweeper.{setting}"


def instantiate_own(config: DictConfig | None) -> Any:
    """Return the object that a config describes, where only its own `_target_` may be called.

    None stands for no object.

    Raises:
        InstantiationException: as `instantiate_allowed`.
    """
    return None if config is None else instantiate_allowed(config, config._target_)


def instantiate_allowed(config: Any, allowed: str | Sequence[str]) -> Any:
    """Return the object that a config describes, where nothing but `allowed` may be called.

    Args:
        config: a config with `_target_`.
        allowed: dotted paths, in which `*` stands for anything.

    Raises:
        InstantiationException: a target is not allowed, or cannot be called.
    """
    return instantiate(config, _execution_whitelist_=allowed)
