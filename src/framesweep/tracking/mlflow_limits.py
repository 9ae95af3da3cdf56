"""How much MLflow accepts in one request and in one value."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

PARAMS_PER_CALL, METRICS_PER_CALL = 100, 1000
"""The most params or tags, and the most metrics, that MLflow accepts in one request."""

MAX_PARAM_LENGTH, MAX_TAG_LENGTH = 6000, 8000
"""The longest values that MLflow stores, in characters."""

Item = TypeVar("Item")


def split(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """Yield the items in lists of at most `size`."""
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch


def truncate(value: str, length: int) -> str:
    """Return at most `length` characters, the last of which say that some were cut off."""
    if len(value) <= length:
        return value
    tail = f"... ({len(value)} characters)"
    return value[: length - len(tail)] + tail
