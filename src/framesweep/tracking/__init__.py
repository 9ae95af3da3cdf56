"""Tracking of runs: the only place that knows MLflow.

What a run logs goes into an outbox on disk and from there, in a thread, to MLflow; training
neither waits for it nor fails with it.
"""

import logging
import shutil
from collections.abc import Mapping
from pathlib import Path

from framesweep.config import TrackingConfig
from framesweep.tracking.base import Status, Tracker
from framesweep.tracking.mlflow_tracker import TRACKING_FOLDER, MlflowTracker
from framesweep.tracking.sender import LostRunError
from framesweep.tracking.sync import find_unsent_runs, sync
from framesweep.tracking.tracked_runs import (
    RunInfo,
    UnreachableError,
    find_run_directory,
    list_child_runs,
    load_metric_history,
    load_run,
)
from framesweep.tracking.ui import build_ui_command, serve_ui

log = logging.getLogger(__name__)

__all__ = [
    "LostRunError",
    "MlflowTracker",
    "RunInfo",
    "Status",
    "Tracker",
    "UnreachableError",
    "build_ui_command",
    "find_run_directory",
    "find_unsent_runs",
    "list_child_runs",
    "load_metric_history",
    "load_run",
    "open_tracker",
    "serve_ui",
    "sync",
]


def open_tracker(
    config: TrackingConfig,
    outputs: Path,
    directory: Path,
    *,
    run_id: str | None = None,
    parent_run_id: str | None = None,
    tags: Mapping[str, str] | None = None,
    replace_lost: bool = False,
) -> Tracker:
    """Tracks the run in `directory`: the one that was begun there, or else a new one.

    Returns once the run is open. Where tracking cannot be reached the run goes on without, and
    what it logs waits on disk.

    A new run is tagged with where it comes from: commit, command line, host, user, version,
    and its directory.

    Args:
        outputs: folder of the SQLite database and the artifacts, where no server has them.
        run_id: goes on with this run, wherever it was begun.
        parent_run_id: run that the new one is nested under.
        tags: further tags, beside those of the config.
        replace_lost: begins a new run where the one that was begun is gone.

    Raises:
        ConfigError: MLflow keeps no runs behind `tracking.uri`.
        LostRunError: the run that was begun is gone.
        TrackingError: the run cannot be opened, now or later.
    """
    if config.backend == "none":
        return Tracker()
    all_tags = {**config.tags, **(tags or {})}
    try:
        return _open(config, outputs, directory, run_id, parent_run_id, all_tags)
    except LostRunError as error:
        if not replace_lost:
            raise
        log.warning("%s: %s; a new one takes its place", error.where, error.rule)
    shutil.rmtree(directory / TRACKING_FOLDER)
    return _open(config, outputs, directory, None, parent_run_id, all_tags)


def _open(
    config: TrackingConfig,
    outputs: Path,
    directory: Path,
    run_id: str | None,
    parent_run_id: str | None,
    tags: Mapping[str, str],
) -> Tracker:
    tracker = MlflowTracker(config, outputs, directory)
    resumed = tracker.resume(run_id)
    if not resumed:
        tracker.start(config.run_name, tags, parent_run_id)
    tracker.wait_open()
    if resumed:
        tracker.log_tags(tags)
    return tracker
