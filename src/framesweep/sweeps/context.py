"""What a run knows of the sweep that it is part of."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field

from hydra_plugins.framesweep_sweeper import CurrentTrial, current_trial

PARENT_ATTR = "mlflow_parent_run"
"""Attribute of a study: the MLflow run that its trials are nested under."""

PARENT_VARIABLE, SWEPT_VARIABLE = "FRAMESWEEP_PARENT_RUN", "FRAMESWEEP_SWEPT"
"""Variables of a grid's jobs: the run they are nested under, the keys that are swept."""

SWEPT_PREFIX = "_swept/"
"""Prefix with which swept params come before all others, whose names begin in lower case."""


def to_bare_key(key: str) -> str:
    """A key as the config has it: without an override's `+`, `~`, `@package` and value."""
    return key.lstrip("+~").partition("=")[0].partition("@")[0]


@dataclass(frozen=True, slots=True)
class SweepContext:
    """A run's place in a sweep; empty outside of one.

    Attributes:
        name: for the run, telling what was swept.
        swept: key -> value.
    """

    parent_run_id: str | None = None
    name: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    swept: Mapping[str, object] = field(default_factory=dict)

    def params(self) -> dict[str, object]:
        """The swept values as params that head the list."""
        return {f"{SWEPT_PREFIX}{key}": value for key, value in self.swept.items()}


def find_sweep_context() -> SweepContext:
    """Of the job in this process."""
    trial = current_trial()
    if trial is not None:
        return _of_trial(trial)
    parent = os.environ.get(PARENT_VARIABLE)
    if not parent:
        return SweepContext()
    keys = os.environ.get(SWEPT_VARIABLE, "").split()
    overrides = _task_overrides() if keys else {}
    swept = {key: value for key, value in overrides.items() if key in keys}
    return SweepContext(parent, _name("", swept) or None, {}, swept)


def _of_trial(trial: CurrentTrial) -> SweepContext:
    tags = {
        "study": trial.study_name,
        "trial": str(trial.number),
        "attempt": str(trial.attempt),
    }
    swept = {to_bare_key(key): value for key, value in trial.params.items()}
    name = _name(f"trial {trial.number}: ", swept)
    return SweepContext(trial.study_attr(PARENT_ATTR), name, tags, swept)


def _name(head: str, swept: Mapping[str, object]) -> str:
    values = (
        f"{key.rpartition('.')[2]}={value:.4g}"
        if isinstance(value, float)
        else f"{key.rpartition('.')[2]}={value}"
        for key, value in swept.items()
    )
    return head + " ".join(values)


def _task_overrides() -> dict[str, str]:
    from hydra.core.hydra_config import HydraConfig

    pairs = (override.partition("=") for override in HydraConfig.get().overrides.task)
    return {to_bare_key(key): value for key, _, value in pairs}
