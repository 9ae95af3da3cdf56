"""Looks up what a change of a config key affects; the schemas' fields declare it."""

import functools
from collections.abc import Iterator
from dataclasses import Field, fields, is_dataclass
from typing import Any, cast, get_type_hints

from framesweep.config import SCHEMAS, RunConfig
from framesweep.config.setting import ADDED, AFFECTS, Effect


def effect_of(key: str) -> Effect:
    """Return what a change of `key` affects, as `"result"` for `"data.context"`.

    An entry of a dictionary, as `tracking.tags.author`, has the effect of the dictionary. A key
    that no schema declares affects the result: this is the safe assumption.
    """
    declared = declared_effects()
    while key:
        if key in declared:
            return declared[key]
        key = key.rpartition(".")[0]
    return "result"


def free_overrides() -> list[str]:
    """Return the groups and keys that may differ between two calls that continue one study.

    They affect nothing, or the result up to rounding, so that trials stay comparable. If all
    keys of a group are free, it is listed by its name: then its options are free, too.
    """
    groups: dict[str, list[str]] = {}
    for key in declared_effects():
        groups.setdefault(key.partition(".")[0], []).append(key)
    free: list[str] = []
    for group, keys in groups.items():
        chosen = [key for key in keys if effect_of(key) in ("rounding", "nothing")]
        free += [group] if chosen == keys else chosen
    return free


def declared_keys(schema: type, prefix: str) -> list[str]:
    """Return the keys of a schema, each with `prefix` before it."""
    return [key for key, _ in _declared(schema, prefix)]


@functools.cache
def declared_effects() -> dict[str, Effect]:
    """Return the effect of every key of every schema, in the order of their declaration."""
    return {
        key: field.metadata.get(AFFECTS, "result") for key, field in _declared(RunConfig, "")
    }


@functools.cache
def added_defaults() -> dict[str, Any]:
    """Return the default of each key that was added after version 0.1; see `setting`."""
    declared = _declared(RunConfig, "")
    return {key: field.default for key, field in declared if field.metadata.get(ADDED)}


def _declared(schema: type, prefix: str) -> Iterator[tuple[str, Field[Any]]]:
    types = get_type_hints(schema)
    for field in fields(cast(Any, schema)):
        key = f"{prefix}{field.name}"
        options = SCHEMAS.get(key)
        if options is not None:
            for option in options.values():
                yield from _declared(option, f"{key}.")
        elif is_dataclass(types[field.name]):
            yield from _declared(types[field.name], f"{key}.")
        else:
            yield key, field
