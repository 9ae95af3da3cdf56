"""The console output of training: a progress bar on a terminal and a line per epoch."""

import logging
import sys

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

log = logging.getLogger(__name__)


class EpochBar:
    """A progress bar over the steps of an epoch, if standard error is a terminal."""

    def __init__(self, num_epochs: int) -> None:
        self._num_epochs = num_epochs
        self._progress: Progress | None = None
        self._task = TaskID(0)
        self._epoch = 0

    def step(self, epoch: int, step: int, num_steps: int) -> None:
        """Show that step number `step` of the epoch's `num_steps` is done."""
        if not sys.stderr.isatty():
            return
        if self._progress is None:
            self._progress = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                TextColumn("{task.completed}/{task.total} steps"),
                TimeRemainingColumn(),
                console=Console(stderr=True),
                transient=True,
            )
            self._task = self._progress.add_task("", total=num_steps)
            self._progress.start()
        self._progress.update(
            self._task,
            completed=step,
            total=num_steps,
            description=f"epoch {epoch}/{self._num_epochs}",
        )

    def close(self) -> None:
        """Remove the bar from the terminal."""
        if self._progress is not None:
            self._progress.stop()
            self._progress = None


def log_epoch(epoch: int, num_epochs: int, metrics: dict[str, float]) -> None:
    """Log the main metrics of an epoch in one line."""
    log.info(
        "epoch %d/%d  train loss %.4f accuracy %.4f  dev loss %.4f accuracy %.4f  %s frames/s",
        epoch,
        num_epochs,
        metrics["train/loss"],
        metrics["train/accuracy"],
        metrics["dev/loss"],
        metrics["dev/accuracy"],
        f"{metrics['train/frames_per_second']:,.0f}",
    )
