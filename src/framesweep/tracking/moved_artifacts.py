"""Artifact locations in a SQLite database that was moved or copied with its artifacts.

MLflow stores them as absolute URIs. In an outputs folder that was moved, new artifacts would go
to the earlier place, and the UI would look for all others there.
"""

import contextlib
import logging
import os
import sqlite3
from pathlib import Path
from urllib.parse import unquote

from framesweep.config.paths import file_path
from framesweep.errors import TrackingError

log = logging.getLogger(__name__)

ARTIFACT_FOLDER = "artifacts"
"""Folder of the artifacts, next to the database."""

LOCATION_COLUMNS = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
)
"""Tables and columns of MLflow's database that contain locations."""

BUSY_SECONDS = 60.0
"""How long to wait for another process's transaction."""


def follow_artifacts(database: Path) -> None:
    """Rewrite the locations in a database whose artifacts are next to it, but were elsewhere.

    A location is rewritten only if its folder was moved along with the database: the artifacts
    of one of its runs are there, or the whole outputs folder of the recorded location is gone.
    If it is gone and nothing shows where it went, one line says so.
    """
    here = database.parent / ARTIFACT_FOLDER
    with contextlib.closing(sqlite3.connect(database, timeout=BUSY_SECONDS)) as connection:
        for root in _find_other_roots(connection, here):
            if _was_moved(connection, root, here):
                _rewrite(connection, root, here)
            elif not os.path.isdir(file_path(root)):  # noqa: PTH112 - it never raises
                log.warning(
                    "artifacts: the folder %s is recorded in %s, but does not exist; move it "
                    "to %s, or make it available again",
                    file_path(root),
                    database,
                    here,
                )


def require_artifact_folder(location: str, experiment: str) -> None:
    """Check that an experiment's artifacts can be stored where its database or server says.

    A database on a server may have been filled on another machine. Without this check the run
    would create that machine's folders on this one, or wait until it may.

    Raises:
        TrackingError: the location is in a folder of outputs that does not exist here.
    """
    if not location.startswith("file:"):
        return
    folder = file_path(location)
    if not os.path.isdir(folder) and not os.path.isdir(folder.parent):  # noqa: PTH112
        raise TrackingError(
            "tracking.experiment",
            f"must have its artifacts in a folder that exists, but {folder.parent} does not",
            found=experiment,
            fix="Make that folder available here, or choose another name for new runs.",
        )


def _find_other_roots(connection: sqlite3.Connection, here: Path) -> list[str]:
    """Return the URIs of artifact folders that the experiments record, except `here`."""
    try:
        rows = connection.execute("SELECT artifact_location FROM experiments").fetchall()
    except sqlite3.OperationalError:  # there are no tables yet
        return []
    roots = set()
    for (location,) in rows:
        head, folder, _ = str(location).rpartition(f"/{ARTIFACT_FOLDER}")
        if head.startswith("file:") and folder:
            roots.add(head + folder)
    return sorted(root for root in roots if file_path(root) != here)


def _was_moved(connection: sqlite3.Connection, root: str, here: Path) -> bool:
    """Return whether `here` has the artifacts of `root`.

    The folder of a run's artifacts has the run's random id as its name, so that one of them is
    proof. Without one, the outputs folder that contained `root` must be gone, and the one that
    contains the database must have runs.
    """
    uris = connection.execute(
        "SELECT artifact_uri FROM runs WHERE artifact_uri LIKE ? || '/%' LIMIT 100", (root,)
    )
    if any((here / unquote(uri[len(root) + 1 :])).is_dir() for (uri,) in uris):
        return True
    is_gone = not os.path.exists(file_path(root).parent)  # noqa: PTH110 - it never raises
    return is_gone and any((here.parent / name).is_dir() for name in ("runs", "sweeps"))


def _rewrite(connection: sqlite3.Connection, root: str, here: Path) -> None:
    """Replace the beginning of all locations below `root`, in one transaction."""
    with connection:
        for table, column in LOCATION_COLUMNS:
            connection.execute(
                f"UPDATE {table} SET {column} = ? || substr({column}, ?) "
                f"WHERE {column} = ? OR {column} LIKE ? || '/%'",
                (here.as_uri(), len(root) + 1, root, root),
            )
    log.info("artifacts: locations below %s now point to %s", file_path(root), here)


def find_moved_file(recorded: str, directory: Path) -> Path:
    """Return where a file of the run in `directory` is, which may have been moved with it."""
    path = Path(recorded)
    if not os.path.exists(path):  # noqa: PTH110 - unlike Path's, it never raises
        for depth in range(1, len(path.parts)):
            moved = directory.joinpath(*path.parts[-depth:])
            if moved.exists():
                return moved
    return path
