"""The directories of runs in an outputs folder, and what their files tell about a run."""

import csv
import json
import os
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from framesweep.catalog.records import State
from framesweep.config.paths import CONFIG_FILE, find_outputs
from framesweep.errors import CheckpointError
from framesweep.system.locks.owner import STALE_SECONDS, Owner
from hydra_plugins.framesweep_sweeper import Process

TRACKING_FOLDER = "tracking"
"""Folder in a run's directory with the run's MLflow id and its unsent records."""

RUN_DIRECTORY_PATTERNS = ("runs/*/*", "sweeps/*", "sweeps/*/*", "sweeps/*/seeds/*")
"""Glob patterns, relative to the outputs folder, of directories in which runs are tracked."""

TRAINED_MODEL = "model/model.safetensors"
"""File in the directory of a run that has finished."""

PREDICTOR = "model/predictor.json"
"""File in the directory of a finished run that says, among others, which corpus it has read."""

HISTORY = "report/history.csv"
"""File in the directory of a finished run with the metrics of each epoch."""


def require_directory(directory: Path) -> None:
    """Raise CheckpointError if the directory of a run is gone."""
    if not directory.is_dir():
        raise CheckpointError(directory, "must exist; the folder of this run is gone")


def require_run_directory(directory: Path) -> None:
    """Raise CheckpointError if the directory of a run is gone, or is that of a whole sweep."""
    require_directory(directory)
    if is_sweep(directory):
        fix = f"Name one of its runs, as {directory.name}/0."
        raise CheckpointError(directory, "must be a run, and not a whole sweep", fix=fix)


def is_sweep(directory: Path) -> bool:
    """Return whether a directory is that of a whole sweep: a grid or a search."""
    from hydra_plugins.framesweep_sweeper._hydra import MULTIRUN  # imports Hydra

    return os.path.isfile(directory / MULTIRUN)  # noqa: PTH113 - unlike Path's, it never raises


def find_run_directories(outputs: Path) -> Iterator[Path]:
    """Yield the directories in `outputs` in which a network is or was trained."""
    for pattern in RUN_DIRECTORY_PATTERNS:
        if pattern == "sweeps/*":
            continue  # the directories of whole sweeps
        for file in outputs.absolute().glob(f"{pattern}/{CONFIG_FILE}"):
            yield file.parent


def shorten(directory: Path) -> str:
    """Return the part of a run's directory by which it is named if it has no MLflow id.

    It is `<time>-<id>` for a single run, `<study>/<number>` for a job of a sweep, and the whole
    path for a run outside of an outputs folder.
    """
    outputs = find_outputs(directory)
    if outputs is None:
        return str(directory)
    kind, first, *rest = directory.absolute().relative_to(outputs).parts
    return "/".join(rest if kind == "runs" else (first, *rest))


def find_study(directory: Path) -> str:
    """Return the name of the sweep to which a run's directory belongs; empty without one."""
    outputs = find_outputs(directory)
    if outputs is None:
        return ""
    parts = directory.absolute().relative_to(outputs).parts
    return parts[1] if parts[0] == "sweeps" and len(parts) > 2 else ""


def read_state(directory: Path) -> State:
    """Return the state of a run, as far as the files in its directory show it."""
    if _is_owned(directory):
        return "running"
    return "finished" if (directory / TRAINED_MODEL).exists() else "stopped"


def read_results(directory: Path) -> tuple[int | None, dict[str, float]]:
    """Return the number of epochs of a finished run, and the metrics in its report.

    As in tracking, `best/` has those of the best epoch on dev, and all others are of the last
    epoch. A run that has not finished, or whose report is damaged, has none.
    """
    try:
        rows = _read_rows(directory)
        metrics = _to_numbers(rows[-1])
        for row in rows:
            if row["is_best"] == "1":
                dev = _to_numbers(row).items()
                metrics |= {f"best/{k[4:]}": v for k, v in dev if k.startswith("dev/")}
        return len(rows), metrics
    except (OSError, ValueError, KeyError, IndexError, TypeError):
        return None, {}


def read_data(directory: Path) -> str:
    """Return the fingerprint of the corpus of a finished run; empty if it is not known."""
    try:
        return str(json.loads((directory / PREDICTOR).read_text(encoding="utf-8"))["digest"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def read_curve(directory: Path, metric: str) -> dict[int, float]:
    """Return epoch -> value of a metric, from the report of a finished run; {} without one."""
    try:
        rows = _read_rows(directory)
        return {int(row["epoch"]): float(row[metric]) for row in rows if row[metric]}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _read_rows(directory: Path) -> list[dict[str, str]]:
    with (directory / HISTORY).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _to_numbers(row: dict[str, str]) -> dict[str, float]:
    return {name: float(text) for name, text in row.items() if "/" in name and text}


def read_start(directory: Path) -> float:
    """Return when a run started, in seconds since 1970, by its directory's name or its file."""
    try:
        date, clock = directory.parts[-2:]
        return datetime.strptime(f"{date} {clock[:8]}", "%Y-%m-%d %H-%M-%S").timestamp()
    except ValueError:
        return read_write_time(directory)


def read_write_time(directory: Path) -> float:
    """Return when a run began to train, or was resumed, in seconds since 1970; 0 if deleted."""
    try:
        return (directory / CONFIG_FILE).stat().st_mtime
    except OSError:
        return 0.0


def _is_owned(directory: Path) -> bool:
    """Return whether a process trains there, without writing anything as `has_ended` does."""
    try:
        owner = Owner.read(directory)
        if owner is None or owner.process.is_known_dead():
            return False
        if owner.process.place == Process.current().place:
            return True
        age = datetime.now().timestamp() - os.stat(directory / ".owner").st_mtime  # noqa: PTH116
        return age < STALE_SECONDS
    except OSError:
        return False
