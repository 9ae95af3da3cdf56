"""Optuna's distributions in terms of Hydra's override grammar."""

import math
from collections.abc import Iterable
from typing import Any, TypeGuard

from hydra.core.override_parser.types import FloatRange
from optuna import Trial
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from hydra_plugins.framesweep_sweeper._errors import SweepError


def format_distribution(distribution: BaseDistribution) -> str:
    """Return a distribution as a user would type it; equal distributions give equal text.

    Hydra's `range(a, b)` excludes `b` while Optuna's bounds are inclusive, hence the addition.
    """
    match distribution:
        case CategoricalDistribution(choices=choices):
            return f"choice({', '.join(map(str, choices))})"
        case IntDistribution(log=True) as d:
            return f"int(tag(log, interval({d.low}, {d.high})))"
        case FloatDistribution(log=True) as d:
            return f"tag(log, interval({d.low}, {d.high}))"
        case FloatDistribution(step=None) as d:
            return f"interval({d.low}, {d.high})"
        case IntDistribution() | FloatDistribution() as d:
            step = f", {d.step}" if d.step != 1 else ""
            return f"range({d.low}, {d.high + (d.step or 0)}{step})"
        case _:
            return str(distribution)


def suggest_value(trial: Trial, key: str, distribution: BaseDistribution) -> Any:
    """Return the value that the trial's sampler chooses for `key`."""
    match distribution:
        case CategoricalDistribution(choices=choices):
            return trial.suggest_categorical(key, choices)
        case IntDistribution() as d:
            return trial.suggest_int(key, d.low, d.high, step=d.step, log=d.log)
        case FloatDistribution() as d:
            return trial.suggest_float(key, d.low, d.high, step=d.step, log=d.log)
        case _:
            raise TypeError(f"{key}: {distribution} is not a distribution of Optuna")


def record_value(trial: Trial, key: str, distribution: BaseDistribution, value: Any) -> Any:
    """Give the trial a value that follows from another key's, and return it.

    It is a parameter like any other in tables and plots, but no sampler chooses it.
    """
    if isinstance(trial, Trial):
        # What Optuna does for an enqueued trial, whose values are known before it starts.
        trial._fixed_params = {**trial._fixed_params, key: value}
    return suggest_value(trial, key, distribution)


def list_values(key: str, distribution: BaseDistribution) -> list[Any]:
    """Return every value of a discrete distribution.

    Raises:
        SweepError: the distribution is continuous.
    """
    match distribution:
        case CategoricalDistribution(choices=choices):
            return list(choices)
        case IntDistribution() as d if not d.log:
            return list(range(d.low, d.high + 1, d.step))
        case FloatDistribution(step=float() as step) as d:
            return [*FloatRange(d.low, d.high, step), d.high]
        case _:
            raise SweepError(
                f"{key}: a grid needs choice(...) or range(...); "
                f"found {format_distribution(distribution)}"
            )


def count_values(distribution: BaseDistribution) -> float:
    """Return the number of values of a distribution; infinity for a continuous one."""
    match distribution:
        case CategoricalDistribution(choices=choices):
            return len(choices)
        case IntDistribution() as d:
            return (d.high - d.low) // d.step + 1
        case FloatDistribution(step=float() as step) as d:
            return round((d.high - d.low) / step) + 1
        case _:
            return math.inf


def is_number(value: Any) -> TypeGuard[float]:
    """Return whether a value has a place in the order of numbers."""
    is_numeric = isinstance(value, int | float) and not isinstance(value, bool)
    return is_numeric and not math.isnan(value)


def sort_numbers(choices: Iterable[Any]) -> list[float]:
    """Return those of some choices that are numbers, in their order."""
    return sorted(choice for choice in choices if is_number(choice))
