"""The console output of training: a progress bar on a terminal and a line per epoch."""

import logging
import time

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn

from hydra_plugins.framesweep_sweeper._terminal import shows_bars

log = logging.getLogger(__name__)

LINE_LENGTH = 80
"""Columns of the narrowest terminal in which no line of an epoch wraps."""


class RunBar:
    """A progress bar over a run, if standard error is a terminal.

    It shows the epoch and its steps, the training loss, the learning rate, and the remaining
    time of the whole run, in which evaluation is included.
    """

    def __init__(self, num_epochs: int) -> None:
        self._num_epochs = num_epochs
        self._progress: Progress | None = None
        self._task = TaskID(0)
        self._began: tuple[float, float] | None = None  # the time, and the epochs done by then
        self._values = ""

    def step(self, epoch: int, step: int, num_steps: int) -> None:
        """Show that step number `step` of the epoch's `num_steps` is done."""
        if not shows_bars():
            return
        done = epoch - 1 + step / num_steps
        if self._began is None:
            # The first step is not timed: it includes what is done only once.
            self._began = (time.monotonic(), done)
        self._show(epoch, done, f"{step}/{num_steps} steps")

    def values(self, loss: float, lr: float) -> None:
        """Show the training loss and the learning rate from now on."""
        self._values = f"loss {format_loss(loss)} lr {lr:.1e}"

    def evaluate(self, epoch: int) -> None:
        """Show that the epoch is evaluated on the dev split."""
        if shows_bars():
            self._show(epoch, float(epoch), "evaluating")

    def _show(self, epoch: int, done: float, phase: str) -> None:
        if self._progress is None:
            self._progress = Progress(
                TextColumn("{task.description}"),
                BarColumn(bar_width=10),
                TextColumn("{task.fields[phase]}"),
                TextColumn("{task.fields[values]}"),
                TextColumn("{task.fields[left]}"),
                console=Console(stderr=True),
                transient=True,
            )
            self._task = self._progress.add_task(
                "", total=self._num_epochs, phase="", values="", left=""
            )
        self._progress.update(
            self._task,
            completed=done,
            description=f"epoch {epoch}/{self._num_epochs}",
            phase=phase,
            values=self._values,
            left=self._describe_time_left(done),
        )
        self._progress.start()  # after the first update, and without effect afterwards

    def _describe_time_left(self, done: float) -> str:
        if self._began is None or done <= self._began[1]:
            return ""
        started, before = self._began
        seconds = (time.monotonic() - started) / (done - before) * (self._num_epochs - done)
        return f"{format_time(seconds)} left"

    def close(self) -> None:
        """Remove the bar from the terminal."""
        if self._progress is not None:
            self._progress.stop()
            self._progress = None


def log_epoch(epoch: int, num_epochs: int, metrics: dict[str, float]) -> None:
    """Log the main metrics of an epoch in one line of at most 80 columns."""
    speed = format_count(metrics["train/frames_per_second"])
    head = f"epoch {epoch}/{num_epochs}"
    values = "  ".join(
        f"{name} loss {format_loss(metrics[f'{split}/loss'])} "
        f"acc {metrics[f'{split}/accuracy']:.4f}"
        for name, split in (("", "train"), ("dev", "dev"))
    ).lstrip()
    # The speed is the least important: it is shortened and left out first.
    lines = (f"{head}  {values}  {speed} frames/s", f"{head}  {values}  {speed}/s")
    fitting = [line for line in lines if len(line) <= LINE_LENGTH]
    log.info("%s", fitting[0] if fitting else f"{head}  {values}")


def format_loss(loss: float) -> str:
    """Return a loss in at most 7 characters: 4 decimals where they matter."""
    if not abs(loss) < 9999:
        return f"{loss:.1e}"
    return f"{loss:.4f}"[:6].rstrip(".")


def format_count(count: float) -> str:
    """Return a large number in at most 5 characters, as 388, 12.3k or 1.2M."""
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if count >= size:
            return f"{count / size:.1f}".removesuffix(".0") + unit
    return f"{count:.0f}"


def format_time(seconds: float) -> str:
    """Return a duration as m:ss, h:mm:ss, or in days and hours."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours >= 100:
        return f"{hours // 24}d {hours % 24}h"
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
