"""Finds the keys of a config that differ from the defaults."""

from dataclasses import replace
from typing import Any

from framesweep.config import SCHEMAS, RunConfig
from framesweep.config.effects import effect_of
from framesweep.config.groups import default_options
from framesweep.config.plain import flatten


def changed_keys(config: RunConfig) -> list[str]:
    """Return the keys that can change a result and whose value is not the default.

    A run of `train.py` without arguments has no such key. Where a config uses another schema,
    as with `model=tdnn`, the defaults are those of the schema: a value that the YAML file of an
    option sets, such as the learning rate of `optim=sgd`, counts as changed.
    """
    options: dict[str, Any] = {group: type(getattr(config, group))() for group in SCHEMAS}
    defaults = flatten(replace(RunConfig(), **options))
    for option in default_options():
        if type(options[option.group]) is SCHEMAS[option.group][option.schema]:
            defaults |= {f"{option.group}.{key}": v for key, v in option.values.items()}
    return [
        key
        for key, value in flatten(config).items()
        if effect_of(key) != "nothing" and (key not in defaults or defaults[key] != value)
    ]
