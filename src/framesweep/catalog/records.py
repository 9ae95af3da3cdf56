"""What is known about a run without opening its checkpoint."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

State = Literal["running", "finished", "pruned", "stopped", "failed"]
"""State of a run. A stopped run can be resumed, whether it was interrupted or killed."""

STATES: tuple[str, ...] = get_args(State)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """A run in an outputs folder.

    Attributes:
        id: what to type for it: the MLflow id, or the end of its directory's path without one.
        run_id: the MLflow id; empty for a run that is not tracked.
        name: the run's name in MLflow.
        directory: the run's directory, which may have been deleted since.
        start: when it started, in seconds since 1970.
        study: the sweep that it belongs to; empty for a single run.
        epochs: the number of epochs trained so far; None if it is not known.
        metrics: the last value of each metric.
        data: fingerprint of the corpus; empty if it is not known.
    """

    id: str
    run_id: str
    name: str
    directory: Path
    state: State
    start: float
    study: str = ""
    epochs: int | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)
    data: str = ""

    @property
    def accuracy(self) -> float | None:
        """Dev accuracy: of the best epoch, or of the last one while the run has not ended."""
        return self.metrics.get("best/accuracy", self.metrics.get("dev/accuracy"))
