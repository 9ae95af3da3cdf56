"""Every key of the config with its type, read from the schemas."""

from collections.abc import Iterator, Set
from dataclasses import fields
from types import UnionType
from typing import Any, Literal, get_args, get_origin, get_type_hints

from framesweep.config import SCHEMAS, RunConfig, SweepConfig, TrainConfig

OPTIONED = ("data", "optim")
"""Groups whose options have keys of their own."""


def keys() -> Iterator[tuple[tuple[str, ...], str, Any]]:
    """The overrides that choose a key's option, the key, and its type without `None`."""
    for group, schemas in SCHEMAS.items():
        for option, schema in schemas.items():
            chosen = (f"{group}={option}",) if group in OPTIONED else ()
            yield from _keys_of(schema, chosen, f"{group}.")
    yield from _keys_of(TrainConfig, (), "train.")
    yield from _keys_of(SweepConfig, (), "sweep.")
    yield from _keys_of(RunConfig, (), "", without={*SCHEMAS, "train", "sweep"})


def _keys_of(
    schema: type, chosen: tuple[str, ...], prefix: str, without: Set[str] = frozenset()
) -> Iterator[tuple[tuple[str, ...], str, Any]]:
    hints = get_type_hints(schema)
    for field in fields(schema):
        if field.name not in without:
            yield chosen, prefix + field.name, _without_none(hints[field.name])


def _without_none(kind: Any) -> Any:
    if get_origin(kind) is not UnionType:
        return kind
    left = [one for one in get_args(kind) if one is not type(None)]
    return left[0] if len(left) == 1 else kind


def of_other_types(kind: Any) -> list[str]:
    """Values that a key of this type does not take."""
    if get_origin(kind) is Literal:
        return ["nonsense", "[1]", "{a: 1}"]
    if get_origin(kind) in (list, dict):
        return ["abc", "3"]
    numbers = ["abc", "[1]", "{a: 1}"]
    return {
        int: [*numbers, "1.5", "nan"],
        float: numbers,
        bool: ["maybe", "[1]", "3.5"],
        str: ["[1]", "{a: 1}"],
    }.get(kind, ["abc", "{a: 1}"])


def extremes(kind: Any) -> list[str]:
    """Values of this type at the ends of what makes sense, and past them."""
    return {
        int: ["-1", "0", str(2**63 - 1)],
        float: ["-1.0", "0.0", "1e38", "nan"],
        str: ["''"],
    }.get(kind, [])


def beyond_measure(kind: Any) -> list[str]:
    """Numbers that no key of this type takes."""
    return {int: [str(2**63), "1" + "0" * 30], float: ["inf", "-inf", "1e300"]}.get(kind, [])
