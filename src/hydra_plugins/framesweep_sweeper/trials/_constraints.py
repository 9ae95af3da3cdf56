"""Constraints on metrics, such as `model/params: "<=20e6"`, and what trials record about them.

A trial keeps a number per constraint, in the form of Optuna's `Trial.set_constraint`: how far
it is violated, relative to the bound, or 0 or less if it holds. Samplers that know constraints
learn from these numbers. A trial that violates one is never the best.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial

from hydra_plugins.framesweep_sweeper._errors import SweepError
from hydra_plugins.framesweep_sweeper.trials import _trial_attrs

OPTUNA_PREFIX = "constraints:"
"""Prefix of the system attributes of a trial in which Optuna keeps constraints."""

VIOLATED = "violated"
"""User attribute of a trial: the constraints that it violates, with what was found."""

CONSTRAINTS = "constraints"
"""Why a trial was pruned: it violates a constraint, which was known before it began."""

BELOW, ABOVE = "<=", ">="


class RejectedPointError(Exception):
    """A point violates constraints, so that it is not run.

    Args:
        metrics: those that are known before it runs.
        violations: as `list_violations` returns them.
    """

    def __init__(self, metrics: Mapping[str, float], violations: Sequence[str]) -> None:
        super().__init__("; ".join(violations))
        self.metrics = metrics


@dataclass(frozen=True)
class Constraint:
    """A bound of a metric.

    Attributes:
        metric: the name of the metric.
        sign: `<=` or `>=`.
        bound: the largest or the smallest value allowed.
    """

    metric: str
    sign: str
    bound: float

    def measure_violation(self, value: float) -> float:
        """Return how far a value is beyond the bound, relative to it; at most 0 if not."""
        if math.isnan(value):
            return math.inf
        excess = value - self.bound if self.sign == BELOW else self.bound - value
        return excess / abs(self.bound) if self.bound else excess

    def __str__(self) -> str:
        return f"{self.metric}{self.sign}{self.bound:g}"


def read_constraints(given: Any) -> tuple[Constraint, ...]:
    """Return the constraints of `hydra.sweeper.constraints`.

    Raises:
        SweepError: they are no mapping, or a bound is not `<=` or `>=` with a number.
    """
    if given is not None and not isinstance(given, Mapping):
        raise SweepError(
            f"hydra.sweeper.constraints: must be metrics with bounds; found {given}. "
            f'Type for example {{model/params: "{BELOW}20e6"}}'
        )
    return tuple(_read(str(metric), str(text)) for metric, text in (given or {}).items())


def _read(metric: str, text: str) -> Constraint:
    sign, number = text.strip()[:2], text.strip()[2:]
    try:
        bound = float(number)
    except ValueError:
        bound = math.nan
    if sign not in (BELOW, ABOVE) or not math.isfinite(bound):
        raise SweepError(
            f"hydra.sweeper.constraints.{metric}: must be {BELOW} or {ABOVE} and a number; "
            f'found {text}. Type for example {{{metric}: "{BELOW}20e6"}}'
        )
    return Constraint(metric, sign, bound)


def list_violations(
    constraints: Sequence[Constraint], metrics: Mapping[str, float]
) -> list[str]:
    """Return the constraints that the known metrics violate, each with the value found."""
    return [
        f"{constraint}: found {metrics[constraint.metric]:g}"
        for constraint in constraints
        if constraint.metric in metrics
        and constraint.measure_violation(metrics[constraint.metric]) > 0
    ]


def write_constraints(
    storage: BaseStorage,
    trial_id: int,
    constraints: Sequence[Constraint],
    metrics: Mapping[str, float],
) -> None:
    """Record how far the metrics of a trial violate the constraints.

    A metric that is not known counts as allowed: the trial was pruned before it was measured.
    """
    for one in constraints:
        known = one.metric in metrics
        violation = one.measure_violation(metrics[one.metric]) if known else 0.0
        storage.set_trial_system_attr(trial_id, f"{OPTUNA_PREFIX}{one.metric}", violation)
    if violated := list_violations(constraints, metrics):
        storage.set_trial_user_attr(trial_id, VIOLATED, "; ".join(violated))


def copy_constraints(storage: BaseStorage, trial_id: int, original: FrozenTrial) -> None:
    """Record for a trial what is recorded for another one with the same parameters."""
    for key, value in original.system_attrs.items():
        if key.startswith(OPTUNA_PREFIX):
            storage.set_trial_system_attr(trial_id, key, value)
    if VIOLATED in original.user_attrs:
        storage.set_trial_user_attr(trial_id, VIOLATED, original.user_attrs[VIOLATED])


def is_feasible(trial: FrozenTrial) -> bool:
    """Return whether a trial violates no constraint."""
    return VIOLATED not in trial.user_attrs


def is_rejected(trial: FrozenTrial) -> bool:
    """Return whether a trial was ended before it began, so that it cost nothing."""
    return trial.user_attrs.get(_trial_attrs.PRUNED_BY) == CONSTRAINTS
