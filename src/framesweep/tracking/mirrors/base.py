"""What a mirror is, and what is sent to it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

MirrorRecord = dict[str, Any]
"""A JSON object with a `kind`: one of those below, with its fields.

    {"kind": "params", "params": {name: JSON value}}
    {"kind": "tags", "tags": {name: text}}
    {"kind": "metrics", "step": epoch, "metrics": {name: number}, "time": seconds since 1970}
    {"kind": "close", "status": FINISHED, FAILED or KILLED, or null if it is unknown}
"""


@dataclass(frozen=True, slots=True)
class MirroredRun:
    """The run that a mirror shows.

    Attributes:
        directory: of the run.
        folder: in it, for what the mirror has to remember.
        experiment: MLflow's experiment.
        name: of the run; None lets the mirror choose one.
        group: shared by the runs of a sweep and their parent; None outside of sweeps.
        role: run, trial (a child of a sweep) or sweep (their parent).
        system_metrics: whether the load of the machine is wanted as well.
    """

    directory: str
    folder: str
    experiment: str
    name: str | None
    group: str | None
    role: str
    system_metrics: bool

    def state_file(self, mirror: str) -> Path:
        """Return the file of what the mirror has to remember."""
        return Path(self.folder) / f"{mirror}.json"


class Notify(Protocol):
    """Sends a line to the log of the training."""

    def __call__(self, level: str, text: str) -> None:
        """Log `text` at a level of `logging`, such as `warning`."""


class Mirror(Protocol):
    """Shows a run in another tracker. Its calls may raise anything, and take any time."""

    def write(self, record: MirrorRecord) -> None:
        """Show a record of the kind params, tags or metrics."""

    def close(self, status: str | None) -> None:
        """End the run; None if the process that trains has ended without a word."""
