"""Composes the options of a config once per process, which takes a tenth of a second.

Keys are set in a copy, as Hydra does after it has composed the options. What composing itself
does is tested by `unit/config/test_composition.py` and by every command.
"""

import functools
import pickle
import re
from typing import Any

import hydra
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.core.override_parser.overrides_parser import OverridesParser

from framesweep.config import RunConfig, composition
from framesweep.config.groups import find_conf

KEY = re.compile(r"(?!hydra\.)[a-z]+\.[\w.]+=|(outputs|seed|objective|further_objectives)=")
"""Beginning of an override that sets a key. Any other one chooses an option."""


def compose(overrides: list[str]) -> RunConfig:
    """Return what `framesweep.config.composition.compose` returns, or raise what it raises."""
    keys = [one for one in overrides if KEY.match(one)]
    config = compose_once(tuple(one for one in overrides if one not in keys))
    try:
        parsed = OverridesParser.create().parse_overrides(keys)
        assert not any(one.is_sweep_override() for one in parsed)
        ConfigLoaderImpl._apply_overrides_to_config(parsed, config)
    except Exception:
        return composition.compose(overrides)
    return composition.to_run_config(config)


def compose_once(overrides: tuple[str, ...]) -> Any:
    """Return a copy of the config that Hydra composes from these overrides."""
    return pickle.loads(_compose_pickled(overrides))


@functools.cache
def _compose_pickled(overrides: tuple[str, ...]) -> bytes:
    """`copy.deepcopy` of a config takes seven times as long as unpickling it."""
    with hydra.initialize_config_dir(str(find_conf())):
        return pickle.dumps(hydra.compose("config", list(overrides)))
