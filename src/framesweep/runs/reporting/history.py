"""The metrics of each epoch of a run, in a file of its report."""

import contextlib
import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from framesweep.catalog.directories import require_directory
from framesweep.errors import CheckpointError
from framesweep.system.atomic_files import write_text
from framesweep.training.checkpoints import CHECKPOINT_FOLDER, LAST, PREVIOUS, read_progress

REPORT_FOLDER, HISTORY = "report", "history.csv"
"""The folder of the report in a run's directory, and the file in it with the metrics: one row
per epoch, one column per metric."""

EPOCH, BEST = "epoch", "is_best"
"""Columns that are not metrics: the number of the epoch, and 1 in the best epoch, else 0."""


@dataclass(frozen=True, slots=True)
class History:
    """The metrics of the epochs that a run has finished.

    Attributes:
        epochs: One mapping from metric names to values per epoch, from epoch 1.
        best_epoch: The epoch with the best objective, 0 before the first.
    """

    epochs: Sequence[Mapping[str, float]]
    best_epoch: int


def write_history(directory: Path, history: History) -> None:
    """Write the history of the run in `directory`; what an epoch lacks is empty there."""
    names = list(dict.fromkeys(name for metrics in history.epochs for name in metrics))
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, [EPOCH, *names, BEST], restval="", lineterminator="\n")
    writer.writeheader()
    for epoch, metrics in enumerate(history.epochs, start=1):
        writer.writerow({EPOCH: epoch, **metrics, BEST: int(epoch == history.best_epoch)})
    write_text(directory / REPORT_FOLDER / HISTORY, text.getvalue())


def read_history(directory: Path) -> History:
    """Return the history of the run in `directory`, from its report or else its checkpoint.

    A run that is being resumed has a report of its first epochs, and a checkpoint of more.

    Raises:
        CheckpointError: if the run has no checkpoint yet, or a file is damaged.
    """
    path, folder = directory / REPORT_FOLDER / HISTORY, directory / CHECKPOINT_FOLDER
    if path.exists():
        history = _read_csv(path)
        # A large checkpoint takes long to read.
        if _is_newer(folder / LAST, path):
            with contextlib.suppress(CheckpointError):
                resumed = _read_checkpoint(folder)
                return max(history, resumed, key=lambda one: len(one.epochs))
        return history
    require_directory(directory)
    if not any((folder / name).exists() for name in (LAST, PREVIOUS)):
        raise CheckpointError(
            directory,
            "must contain a checkpoint or a report",
            fix="Has this run finished an epoch?",
        )
    return _read_checkpoint(folder)


def _is_newer(path: Path, other: Path) -> bool:
    return path.exists() and path.stat().st_mtime > other.stat().st_mtime


def _read_checkpoint(folder: Path) -> History:
    progress = read_progress(folder)
    return History(progress["history"], progress["best_epoch"])


def _read_csv(path: Path) -> History:
    epochs: list[dict[str, float]] = []
    best_epoch = 0
    try:
        with path.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                epoch, is_best = int(row.pop(EPOCH)), row.pop(BEST)
                best_epoch = epoch if is_best == "1" else best_epoch
                epochs.append({name: float(text) for name, text in row.items() if text})
        if not best_epoch:
            raise ValueError("no epoch is marked as the best")
    except (KeyError, ValueError, TypeError) as error:
        rule = f"must have one row of metrics per epoch ({error})"
        raise CheckpointError(path, rule, fix="Resume the run to write it again.") from None
    return History(epochs, best_epoch)
