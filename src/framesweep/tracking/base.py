"""What a run says about itself, and to whom."""

from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

Status = Literal["FINISHED", "FAILED", "KILLED"]


class Tracker:
    """Takes what a run logs; this one drops it.

    Calls return at once, and tracking that fails harms no caller.
    """

    @property
    def run_id(self) -> str | None:
        """MLflow's id of the run; None without tracking, or until it is first reached."""
        return None

    def log_params(self, params: Mapping[str, object]) -> None:
        """Logs the flat config, and its hash as a tag."""

    def log_tags(self, tags: Mapping[str, str]) -> None:
        """Sets tags."""

    def log_epoch(self, epoch: int, metrics: Mapping[str, float]) -> None:
        """Logs an epoch's metrics; those that the run already has stay as they are."""

    def log_dataset(
        self,
        name: str,
        fingerprint: str,
        *,
        root: str | None,
        feature_dim: int,
        splits: Mapping[str, Mapping[str, int]],
    ) -> None:
        """Logs what the run trains on, with the counts of each split, as `num_frames`."""

    def log_artifact(self, path: Path, folder: str = "") -> None:
        """Logs a file or a folder, which must stay until the end of the run."""

    def log_model(self, directory: Path, feature_dim: int) -> None:
        """Logs the predictor in `directory` as an MLflow model, once a run."""

    def finish(self, status: Status = "FINISHED") -> None:
        """Ends the run and waits for what is on its way; further calls do nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Finishes the run: KILLED after Interrupted or Ctrl-C, FAILED after other errors."""
