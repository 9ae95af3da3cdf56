"""The interface through which a run reports to an experiment tracker."""

from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from framesweep.errors import Interrupted

Status = Literal["FINISHED", "FAILED", "KILLED"]
"""MLflow's names for how a run can end."""


class Tracker:
    """A tracker that discards everything, and the interface of those that do not.

    Every call but `require_open` returns immediately, and none raises because tracking has
    failed: training must neither wait for a tracking server nor end with it.
    """

    @property
    def run_id(self) -> str | None:
        """Return MLflow's id of the run; None without tracking or before it was created."""
        return None

    @property
    def is_current(self) -> bool:
        """Return whether the run still belongs to this process."""
        return True

    def require_open(self, *, wait: bool) -> None:
        """Check that tracking has opened the run, or may still do so.

        Args:
            wait: wait until the run is open, or it turns out that tracking cannot be reached.

        Raises:
            TrackingError: the run can be opened neither now nor later; it is not tracked any
                more.
        """

    def log_params(self, params: Mapping[str, object]) -> None:
        """Log params by name; one that the run already has keeps its value."""

    def log_tags(self, tags: Mapping[str, str]) -> None:
        """Set tags of the run."""

    def log_epoch(self, epoch: int, metrics: Mapping[str, float]) -> None:
        """Log the metrics of an epoch, counted from 1.

        A metric that the run already has for this epoch keeps its first value, so that a
        resumed run may report the epochs before its checkpoint once more.
        """

    def log_dataset(
        self,
        name: str,
        fingerprint: str,
        *,
        root: str | None,
        feature_dim: int,
        splits: Mapping[str, Mapping[str, int]],
    ) -> None:
        """Log the dataset that the run trains on.

        Args:
            fingerprint: hash of the prepared data.
            root: directory of the corpus; None for a corpus that is generated.
            splits: counts of each split, such as `num_frames`.
        """

    def log_artifact(self, path: Path, folder: str = "") -> None:
        """Upload a file or a folder, which must not change until the run has ended."""

    def log_model(self, directory: Path, feature_dim: int) -> None:
        """Log the predictor in `directory` as the run's MLflow model, once per run."""

    def register_model(self, name: str) -> None:
        """Register the run's MLflow model, once, as a version of the model `name`."""

    def finish(self, status: Status = "FINISHED") -> None:
        """End the run and wait until its records have been sent; later calls do nothing."""

    def abandon(self) -> None:
        """Stop tracking without a status, because the run belongs to another process now."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End the run: KILLED after Interrupted or Ctrl-C, FAILED after any other error."""
        if error is None:
            self.finish("FINISHED")
        elif isinstance(error, Interrupted | KeyboardInterrupt):
            self.finish("KILLED")
        else:
            self.finish("FAILED")
