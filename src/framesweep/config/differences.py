"""Finds the keys of a config that differ from the defaults, and the options it agrees with."""

from dataclasses import replace
from typing import Any

from framesweep.config import SCHEMAS, RunConfig
from framesweep.config.effects import effect_of
from framesweep.config.groups import default_options, read_options
from framesweep.config.plain import flatten, schema_names


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


def option_names(config: RunConfig) -> dict[str, str]:
    """Return the option of each group that has the values of a config, or else its schema.

    A config does not say which options were chosen. Of several options that fit, that with the
    most values of its own is returned; one that has none fits the defaults of its schema only.
    """
    names, values = schema_names(config), flatten(config)
    for group, schema in names.items():
        has_defaults = getattr(config, group) == type(getattr(config, group))()
        fitting = [
            option
            for option in read_options(group)
            if option.schema == schema
            and (option.values or has_defaults)
            and all(values[f"{group}.{key}"] == value for key, value in option.values.items())
        ]
        if fitting:
            names[group] = max(fitting, key=lambda option: len(option.values)).name
    return names
