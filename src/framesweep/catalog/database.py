"""Reads the runs in MLflow's SQLite database, without MLflow.

Importing MLflow takes a second, and its search another one for a thousand runs. The tables that
are read here have had these columns since MLflow 1.0.
"""

import contextlib
import os
import sqlite3
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from framesweep.config.paths import SQLITE_SCHEMES, sqlite_path
from framesweep.credentials import URI_VARIABLE

DATABASE = "mlflow.db"
"""Name of the database in the outputs folder."""

RUN_DIRECTORY_TAG, DATA_TAG = "framesweep.run_dir", "framesweep.data_fingerprint"
PARENT_TAG, STUDY_TAG, PRUNED_TAG = "mlflow.parentRunId", "study", "pruned"
TAGS = (RUN_DIRECTORY_TAG, DATA_TAG, PARENT_TAG, STUDY_TAG, PRUNED_TAG)

BUSY_SECONDS = 5.0
"""How long to wait for a process that writes to the database."""


@dataclass(slots=True)
class TrackedRow:
    """A run as MLflow's tables have it; `status` is MLflow's, `start` in milliseconds."""

    run_id: str
    name: str
    status: str
    start: int
    tags: dict[str, str] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)
    epochs: int | None = None


def find_database(uri: str | None, outputs: Path) -> Path | None:
    """Return the SQLite database that tracks runs; None on a server, or without one."""
    uri = uri or os.environ.get(URI_VARIABLE)
    if not uri:
        path: Path | None = outputs / DATABASE
    else:
        path = sqlite_path(uri) if uri.startswith(SQLITE_SCHEMES) else None
    return path if path is not None and os.path.isfile(path) else None  # noqa: PTH113


def read_tracked_rows(database: Path) -> list[TrackedRow]:
    """Return the runs of framesweep in a database, without those that were deleted.

    A database that cannot be read is treated as empty: commands that need it will say why.
    """
    try:
        with contextlib.closing(connect_read_only(database, BUSY_SECONDS)) as connection:
            rows = _read(connection)
    except sqlite3.Error:
        return []
    return [row for row in rows.values() if RUN_DIRECTORY_TAG in row.tags]


def connect_read_only(database: Path, seconds: float) -> sqlite3.Connection:
    """Open an SQLite database without being able to change it.

    Args:
        database: The file.
        seconds: How long to wait for a process that writes to it.

    Raises:
        sqlite3.Error: It cannot be opened.
    """
    path = database.absolute()
    # In a folder that it may not write to, SQLite cannot create the index of a write-ahead log.
    # Without a log, all is in the file (https://sqlite.org/wal.html#read_only_databases).
    has_log = path.with_name(f"{path.name}-wal").exists()
    is_fixed = not os.access(path.parent, os.W_OK) and not has_log and _uses_log(path)
    mode = "immutable=1" if is_fixed else "mode=ro"
    return sqlite3.connect(f"{path.as_uri()}?{mode}", uri=True, timeout=seconds)


def _uses_log(database: Path) -> bool:
    """Return whether a database has a write-ahead log (https://sqlite.org/fileformat.html)."""
    try:
        with database.open("rb") as file:
            return file.read(20)[18:19] == b"\x02"
    except OSError:
        return False  # SQLite raises an error of its own for a file that it cannot read


def _read(connection: sqlite3.Connection) -> dict[str, TrackedRow]:
    query = "SELECT run_uuid, name, status, start_time FROM runs WHERE lifecycle_stage='active'"
    rows = {
        run_id: TrackedRow(run_id, name or "", status or "", start or 0)
        for run_id, name, status, start in connection.execute(query)
    }
    marks = ", ".join("?" * len(TAGS))
    query = f"SELECT run_uuid, key, value FROM tags WHERE key IN ({marks})"
    for run_id, key, value in connection.execute(query, TAGS):
        if run_id in rows:
            rows[run_id].tags[key] = value or ""
    steps: dict[str, int] = defaultdict(int)
    query = "SELECT run_uuid, key, value, step, is_nan FROM latest_metrics"
    for run_id, key, value, step, is_nan in connection.execute(query):
        if run_id in rows:
            rows[run_id].metrics[key] = float("nan") if is_nan else value
            steps[run_id] = max(steps[run_id], step)
    for run_id, step in steps.items():
        rows[run_id].epochs = step
    return rows
