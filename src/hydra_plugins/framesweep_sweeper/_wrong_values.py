"""Finds values that make a sweep's configs fail, before any of its jobs runs.

This module imports no Optuna, so that a grid can use it.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")

MOST_VALUES = 20
"""Number of values of a key that are tried, each in some 20 ms."""


def find_wrong_value(
    axes: Sequence[Sequence[T]], check: Callable[[list[T]], Exception | None]
) -> Exception | None:
    """Return the error of the first value that fails whatever another key's value is, or None.

    Each value is tried together with the first values of the other keys. If that fails, two
    values may only not fit each other, so the others are changed, one at a time. Combinations
    that need more changes than one count as failures of the value.

    Args:
        axes: the values of each key, or of keys that are paired.
        check: returns the error of a point, which has a value of each axis.
    """
    axes = [axis[:MOST_VALUES] for axis in axes]
    first = [axis[0] for axis in axes]
    error_of_first = check(first)
    for i, axis in enumerate(axes):
        for j, value in enumerate(axis):
            point = _replace(first, i, value)
            error = check(point) if j else error_of_first
            if error is not None and all(check(other) for other in _vary(axes, point, i)):
                return error
    return None


def _vary(axes: Sequence[Sequence[T]], point: list[T], kept: int) -> Iterator[list[T]]:
    """Yield the points that differ from `point` in the value of one axis, but not of `kept`."""
    for i, axis in enumerate(axes):
        if i != kept:
            yield from (_replace(point, i, value) for value in axis if value != point[i])


def _replace(point: list[T], i: int, value: T) -> list[T]:
    return [*point[:i], value, *point[i + 1 :]]
