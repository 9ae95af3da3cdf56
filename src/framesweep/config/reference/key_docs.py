"""Reads the documentation of every config key, as its type and meaning, from the schemas."""

import ast
import difflib
import functools
import inspect
import sys
from collections.abc import Iterator
from dataclasses import MISSING, Field, dataclass, fields, is_dataclass
from fnmatch import fnmatchcase
from itertools import pairwise
from types import NoneType
from typing import Any, Literal, cast, get_args, get_origin, get_type_hints

import yaml

from framesweep.config import SCHEMAS, RunConfig
from framesweep.config.effects import effect_of
from framesweep.config.reference.sweeper_keys import SWEEPER, SWEEPER_KEYS
from framesweep.config.setting import UNIT, Effect
from framesweep.errors import ConfigError
from hydra_plugins.framesweep_sweeper.config import FramesweepSweeperConf

SIMPLE_TYPES: dict[Any, str] = {NoneType: "null", Any: "any"}
"""Types whose names in Python say less than a word."""


@dataclass(frozen=True, slots=True)
class KeyDoc:
    """What a user needs to know about one key.

    Attributes:
        key: Its dotted name, as `data.context`.
        schema: The schema that declares it: of the options of a group, the first in which it
            appears.
        type: The values that it accepts, in words.
        default: Its default as it is written in YAML.
        unit: What a number counts or measures; "" for no unit.
        affects: What a change of it affects.
        meaning: The text under the field.
    """

    key: str
    schema: type
    type: str
    default: str
    unit: str
    affects: Effect
    meaning: str


@functools.cache
def document_keys() -> tuple[KeyDoc, ...]:
    """Return the documentation of every key of every schema, group by group."""
    return tuple(dict.fromkeys([*_document(RunConfig, ""), *_document_sweeper()]))


def find_keys(pattern: str) -> list[KeyDoc]:
    """Return the keys that match a pattern.

    Args:
        pattern: A key, a group, the last part of a key, or a shell pattern as `data.*`.

    Raises:
        ConfigError: if no key matches; it suggests the nearest keys.
    """
    found = [doc for doc in document_keys() if _matches(doc.key, pattern)]
    if found:
        return found
    keys = list(dict.fromkeys(doc.key for doc in document_keys()))
    near = difflib.get_close_matches(pattern, keys, n=3, cutoff=0.5)
    ends = difflib.get_close_matches(pattern, [key.rpartition(".")[2] for key in keys], n=2)
    near += [key for key in keys if key.rpartition(".")[2] in ends and key not in near]
    fix = f"Did you mean {' or '.join(near[:3])}?" if near else "framesweep keys lists all."
    raise ConfigError("PATTERN", "must match a key", found=pattern, fix=fix)


def _matches(key: str, pattern: str) -> bool:
    return (
        fnmatchcase(key, pattern)
        or key.startswith(f"{pattern}.")
        or key.rpartition(".")[2] == pattern
    )


def _document(schema: type, prefix: str) -> Iterator[KeyDoc]:
    """Yield the documentation of a schema's keys and, in their place, of nested schemas' keys.

    Options that inherit a key from the schema of their group yield equal KeyDocs, so that the
    caller can drop the repetitions.
    """
    types, meanings, owners = get_type_hints(schema), read_meanings(schema), _owners(schema)
    for field in fields(cast(Any, schema)):
        key, kind = f"{prefix}{field.name}", types[field.name]
        if key in SCHEMAS:
            for option in SCHEMAS[key].values():
                yield from _document(option, f"{key}.")
        elif is_dataclass(kind):
            yield from _document(cast(type, kind), f"{key}.")
        else:
            yield KeyDoc(
                key=key,
                schema=owners[field.name],
                type=describe_type(kind),
                default=to_yaml(_default(field)),
                unit=field.metadata.get(UNIT, ""),
                affects=effect_of(key),
                meaning=meanings.get(field.name, ""),
            )


def _document_sweeper() -> Iterator[KeyDoc]:
    """Yield the documentation of the keys of a search."""
    documented = {field.name: field for field in fields(FramesweepSweeperConf)}
    types, meanings = (
        get_type_hints(FramesweepSweeperConf),
        read_meanings(FramesweepSweeperConf),
    )
    for name, (unit, affects) in SWEEPER_KEYS.items():
        yield KeyDoc(
            key=f"{SWEEPER}.{name}",
            schema=FramesweepSweeperConf,
            type=describe_type(types[name]),
            default=to_yaml(_default(documented[name])),
            unit=unit,
            affects=affects,
            meaning=meanings[name],
        )


def _owners(schema: type) -> dict[str, type]:
    """Return the class that declares each field; an override counts as a declaration."""
    return {
        name: base
        for base in reversed(schema.__mro__)
        for name in inspect.get_annotations(base)
    }


def read_meanings(schema: type) -> dict[str, str]:
    """Return the string under each field of a dataclass and its bases, as one line.

    Python does not keep these strings, so they are read from the source, which a wheel
    contains, too.
    """
    meanings: dict[str, str] = {}
    for base in reversed(schema.__mro__):
        if is_dataclass(base):
            meanings |= dict(_strings_under_fields(base))
    return meanings


def _strings_under_fields(schema: type) -> Iterator[tuple[str, str]]:
    body = next(
        node.body
        for node in ast.walk(_parse(schema.__module__))
        if isinstance(node, ast.ClassDef) and node.name == schema.__name__
    )
    for node, after in pairwise(body):
        match node, after:
            case (
                ast.AnnAssign(target=ast.Name(id=name)),
                ast.Expr(value=ast.Constant(value=str(text))),
            ):
                yield name, " ".join(text.split())


@functools.cache
def _parse(module: str) -> ast.Module:
    return ast.parse(inspect.getsource(sys.modules[module]))


def describe_type(kind: Any) -> str:
    """Return the values of a type in words, as `int or null` or `one of zero, cross`."""
    if get_origin(kind) is Literal:
        # A choice may be a number and its name, which are typed alike.
        return f"one of {', '.join(dict.fromkeys(map(_choice, get_args(kind))))}"
    if get_origin(kind) is list:
        return f"list of {describe_type(get_args(kind)[0])}"
    if get_origin(kind) is dict:
        return "dictionary of " + " to ".join(describe_type(one) for one in get_args(kind))
    if kind in SIMPLE_TYPES:
        return SIMPLE_TYPES[kind]
    if parts := get_args(kind):
        described = [describe_type(part) for part in parts]
        # A float accepts integers as well, which needs no mention.
        redundant = {"int"} if "float" in described else set()
        return " or ".join(part for part in described if part not in redundant)
    return str(kind.__name__)


def _choice(value: Any) -> str:
    """Return a closed choice as a user types it: a flag in lower case, as YAML writes it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _default(field: Field[Any]) -> Any:
    return field.default if field.default_factory is MISSING else field.default_factory()


def to_yaml(value: Any) -> str:
    """Return a value as YAML on one line, as a user types it."""
    text = yaml.safe_dump(value, default_flow_style=True, width=sys.maxsize)
    return text.strip().removesuffix("...").strip()
