"""Tracking of runs with MLflow, which no other package imports.

Whatever a run logs goes into an outbox on disk first, and a thread sends it from there to
MLflow. Training therefore neither waits for a tracking server nor fails with it. What is logged
can be mirrored to other trackers, each in a process of its own.
"""

import logging
import shutil
from collections.abc import Mapping
from pathlib import Path

from framesweep.catalog.directories import TRACKING_FOLDER
from framesweep.config import TrackingConfig
from framesweep.errors import LostRunError
from framesweep.tracking.base import Status, Tracker
from framesweep.tracking.children import load_children
from framesweep.tracking.mirrors import open_mirrors, require_packages
from framesweep.tracking.mlflow_store import resolve_tracking_uri
from framesweep.tracking.mlflow_tracker import MlflowTracker, format_param
from framesweep.tracking.models.registry import register_winner
from framesweep.tracking.monitoring.system_metrics import log_system_metrics, require_psutil
from framesweep.tracking.provenance import CONFIG_HASH_TAG, hash_config
from framesweep.tracking.sync import find_unsent_runs, sync, sync_ended_runs
from framesweep.tracking.tracked_runs import (
    RunInfo,
    UnreachableError,
    find_run_directory,
    load_metric_history,
    load_run,
)
from framesweep.tracking.ui import build_ui_command, serve_ui

log = logging.getLogger(__name__)

__all__ = [
    "CONFIG_HASH_TAG",
    "LostRunError",
    "MlflowTracker",
    "RunInfo",
    "Status",
    "Tracker",
    "UnreachableError",
    "build_ui_command",
    "find_run_directory",
    "find_unsent_runs",
    "format_param",
    "hash_config",
    "load_children",
    "load_metric_history",
    "load_run",
    "log_system_metrics",
    "open_tracker",
    "register_winner",
    "require_packages",
    "require_psutil",
    "resolve_tracking_uri",
    "serve_ui",
    "sync",
    "sync_ended_runs",
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
    wait: bool = True,
    claim: int = 0,
) -> Tracker:
    """Track the run in `directory`: the one that was started there, or else a new one.

    Return once the run is open. If tracking cannot be reached, the run proceeds without it, and
    its records wait on disk.

    A new run is tagged with its provenance: commit, command line, host, user, version and
    directory.

    Args:
        outputs: folder with the SQLite database and the artifacts, unless a server has them.
        run_id: continues this run, in whatever directory it was started.
        parent_run_id: run that a new one is nested under.
        tags: tags in addition to those of the config.
        replace_lost: starts a new run if the one to continue no longer exists.
        wait: waits also until a new run is open. Otherwise the caller has to call
            `Tracker.require_open`, and MLflow is imported at its first call, in another thread.
        claim: the number of the claim under which a trial is run; see `ownership.own`.

    Raises:
        ConfigError: `tracking.uri` is none that MLflow can keep runs in, or a mirror is not
            installed.
        DirectoryInUseError: another process owns the directory.
        LostRunError: the run to continue no longer exists.
        TrackingError: the run cannot be opened, now or later.
    """
    require_packages(config.also)
    all_tags = {**config.tags, **(tags or {})}
    if config.backend == "none":
        tracker = Tracker()
    else:
        try:
            tracker = _open(
                config, outputs, directory, run_id, parent_run_id, all_tags, wait, claim
            )
        except LostRunError as error:
            if not replace_lost:
                raise
            _discard_lost_run(directory, error)
            tracker = _open(
                config, outputs, directory, None, parent_run_id, all_tags, wait, claim
            )
    folder = directory / TRACKING_FOLDER
    return open_mirrors(tracker, config, directory, folder, parent_run_id, all_tags)


def _discard_lost_run(directory: Path, error: LostRunError) -> None:
    log.warning("%s: %s; starting a new run instead", error.where, error.rule)
    # The folder says which run to continue, and holds the lost run's unsent records.
    shutil.rmtree(directory / TRACKING_FOLDER)


def _open(
    config: TrackingConfig,
    outputs: Path,
    directory: Path,
    run_id: str | None,
    parent_run_id: str | None,
    tags: Mapping[str, str],
    wait: bool,
    claim: int,
) -> Tracker:
    tracker = MlflowTracker(config, outputs, directory, claim)
    resumed = tracker.resume(run_id)
    if not resumed:
        tracker.start(config.run_name, tags, parent_run_id)
    if resumed or wait:
        tracker.require_open(wait=True)
    if resumed:
        tracker.log_tags(tags)
    return tracker
