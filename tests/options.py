"""Composing one option of one config group, as the command line would."""

import functools
import pickle
from typing import Any

from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from framesweep.config.composition import register
from framesweep.config.groups import UNLISTED, find_conf

CONF = find_conf()
register()


def names(group: str) -> list[str]:
    """The options of a group that a user chooses, by their files."""
    stems = (path.stem for path in (CONF / group).glob("*.yaml"))
    return sorted(stem for stem in stems if not stem.startswith(UNLISTED))


def build(group: str, option: str, *overrides: str) -> Any:
    """The typed config of `group=option` with `group.key=value` overrides."""
    return pickle.loads(_build(group, option, overrides))


@functools.cache
def _build(group: str, option: str, overrides: tuple[str, ...]) -> bytes:
    """Return it pickled, because each caller gets an object of its own."""
    # The rates of optim=adamw depend on the chosen network.
    network = ["+model=base"] if group == "optim" else []
    with initialize_config_dir(str(CONF)):
        composed = compose(f"{group}/{option}", overrides=[*network, *overrides])
    return pickle.dumps(OmegaConf.to_object(composed[group]))
