"""Points that are known before a search begins, and which of their values a space contains."""

import math
from collections.abc import Callable, Mapping
from typing import Any

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from hydra_plugins.framesweep_sweeper.search._space import (
    SearchSpace,
    normalize_value,
    strip_affixes,
)

ABSENT = object()
"""What a lookup returns for a key that a point does not have."""


def match_point(
    space: SearchSpace, lookup: Callable[[str], Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the values of a point that a space contains, and those that it does not.

    Args:
        space: the search space.
        lookup: a function that returns the point's value of a key, or ABSENT.

    Returns:
        Key -> value of the space's own type, for the keys that a sampler chooses; and key ->
        value for the keys whose value is outside of the space.
    """
    inside, outside = {}, {}
    for dimension in space.sampled:
        value = lookup(strip_affixes(dimension.key))
        if value is ABSENT or dimension.distribution is None:
            continue
        found = find_value(dimension.distribution, value)
        if found is ABSENT:
            outside[dimension.key] = value
        else:
            inside[dimension.key] = found
    return inside, outside


def find_value(distribution: BaseDistribution, value: Any) -> Any:
    """Return the distribution's value that equals `value`, or ABSENT if it has none."""
    match distribution:
        case CategoricalDistribution(choices=choices):
            same = (c for c in choices if _simplify(c) == _simplify(value))
            return next(same, ABSENT)
        case IntDistribution() | FloatDistribution() as d:
            return _find_number(d, value)
        case _:
            return ABSENT


def _find_number(distribution: IntDistribution | FloatDistribution, value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return ABSENT
    low, high, step = distribution.low, distribution.high, distribution.step
    if not low <= value <= high:
        return ABSENT
    steps = 0.0 if step is None else (value - low) / step
    if not math.isclose(steps, round(steps), abs_tol=1e-8):
        return ABSENT
    return int(value) if isinstance(distribution, IntDistribution) else float(value)


def _simplify(value: Any) -> str:
    """Return a value as text in which equal values are equal, numbers and lists included."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return repr(float(value))
    return normalize_value(value).replace(" ", "")


def look_up(values: Mapping[str, Any]) -> Callable[[str], Any]:
    """Return a lookup for `match_point` in a mapping."""
    return lambda key: values.get(key, ABSENT)
