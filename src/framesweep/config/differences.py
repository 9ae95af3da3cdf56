"""Finds the keys of a config that differ from the defaults of their schemas."""

from dataclasses import replace
from typing import Any

from framesweep.config import SCHEMAS, RunConfig
from framesweep.config.effects import effect_of
from framesweep.config.plain import flatten


def changed_keys(config: RunConfig) -> list[str]:
    """Return the keys that can change a result and whose value is not their schema's default.

    The defaults are those of the schemas in use: for `model=tdnn`, those of the TDNN. A value
    that the YAML file of an option sets, such as the width of `model=wide`, counts as changed.
    """
    options: dict[str, Any] = {group: type(getattr(config, group))() for group in SCHEMAS}
    defaults = flatten(replace(RunConfig(), **options))
    return [
        key
        for key, value in flatten(config).items()
        if effect_of(key) != "nothing" and (key not in defaults or defaults[key] != value)
    ]
