"""Lists the runs of an outputs folder, from its directories and MLflow's database."""

import os
from pathlib import Path

from framesweep.catalog.database import (
    DATA_TAG,
    PARENT_TAG,
    PRUNED_TAG,
    RUN_DIRECTORY_TAG,
    STUDY_TAG,
    TrackedRow,
    find_database,
    read_tracked_rows,
)
from framesweep.catalog.directories import (
    TRACKING_FOLDER,
    find_run_directories,
    find_study,
    read_data,
    read_results,
    read_start,
    read_state,
    read_write_time,
    shorten,
)
from framesweep.catalog.records import RunRecord, State
from framesweep.catalog.run_file import read_run_file
from framesweep.config.paths import find_moved
from framesweep.errors import TrackingError

STATES_OF_STATUS: dict[str, State] = {
    "FINISHED": "finished",
    "FAILED": "failed",
    "KILLED": "stopped",
}


def list_runs(uri: str | None, outputs: Path) -> list[RunRecord]:
    """Return the runs in `outputs`, and those that its database tracks, the newest first.

    The runs that are parents of sweeps are left out. No tracking server is asked, so that the
    list is quick and available offline; metrics of runs on a server are therefore unknown.

    Args:
        uri: `tracking.uri`; None for the environment variable, or SQLite in `outputs`.
    """
    database = find_database(uri, outputs)
    rows = [] if database is None else read_tracked_rows(database)
    parents = {row.tags[PARENT_TAG] for row in rows if PARENT_TAG in row.tags}
    records = [
        _build_tracked(row, outputs)
        for row in rows
        if row.run_id not in parents and not _is_sweep(Path(row.tags[RUN_DIRECTORY_TAG]))
    ]
    known = {record.directory for record in records}
    for directory in find_run_directories(outputs):
        if directory not in known:
            records.append(_build_untracked(directory))

    def order(run: RunRecord) -> tuple[float, float]:
        # A directory's name has whole seconds; its file tells apart runs that started in one.
        # MLflow knows the milliseconds.
        written = 0.0 if run.directory in known else read_write_time(run.directory)
        return run.start, written

    return sorted(records, key=order, reverse=True)


def _is_sweep(directory: Path) -> bool:
    """Return whether a directory is that of a whole sweep, by its place in the outputs."""
    return directory.parent.name == "sweeps"


def _build_tracked(row: TrackedRow, outputs: Path) -> RunRecord:
    directory = find_moved(Path(row.tags[RUN_DIRECTORY_TAG]), outputs)
    state = STATES_OF_STATUS.get(row.status)
    if state is None:
        # A process that was killed could not tell MLflow; its directory shows it.
        state = read_state(directory) if os.path.isdir(directory) else "running"  # noqa: PTH112
    if row.tags.get(PRUNED_TAG) == "true":
        state = "pruned"
    return RunRecord(
        id=row.run_id,
        run_id=row.run_id,
        name=row.name,
        directory=directory,
        state=state,
        start=row.start / 1000,
        study=row.tags.get(STUDY_TAG) or find_study(directory),
        epochs=row.epochs,
        metrics=row.metrics,
        data=row.tags.get(DATA_TAG, ""),
    )


def _build_untracked(directory: Path) -> RunRecord:
    """Return the record of a run that is not tracked, or by a server."""
    try:
        run_id = read_run_file(directory / TRACKING_FOLDER).get("run_id", "")
    except (TrackingError, OSError):
        run_id = ""  # one damaged file must not hide all other runs
    epochs, metrics = read_results(directory)
    return RunRecord(
        id=run_id or shorten(directory),
        run_id=run_id,
        name="",
        directory=directory,
        state=read_state(directory),
        start=read_start(directory),
        study=find_study(directory),
        epochs=epochs,
        metrics=metrics,
        data=read_data(directory),
    )
