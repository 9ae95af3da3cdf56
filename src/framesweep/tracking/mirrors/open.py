"""Opens the mirrors of a run."""

from collections.abc import Mapping
from pathlib import Path

from framesweep.config import TrackingConfig
from framesweep.tracking.base import Tracker
from framesweep.tracking.mirrors.base import MirroredRun
from framesweep.tracking.mirrors.mirror_process import MirrorProcess
from framesweep.tracking.mirrors.mirroring_tracker import MirroringTracker

MIRRORS_FOLDER = "mirrors"
"""Folder in a run's tracking folder for what its mirrors have to remember."""


def open_mirrors(
    tracker: Tracker,
    config: TrackingConfig,
    directory: Path,
    tracking_folder: Path,
    parent_run_id: str | None,
    tags: Mapping[str, str],
) -> Tracker:
    """Return a tracker that logs to `tracker` and to the mirrors that the config names.

    The children of a sweep and their parent share a group: the study, or the parent's id.

    Args:
        tracker: where the run is open already.
        directory: of the run.
        tracking_folder: in it, which is deleted if the run begins anew.
        parent_run_id: MLflow's id of the parent.
        tags: of the run.
    """
    if not config.also:
        return tracker
    is_parent = "sweep" in tags
    group = tags.get("study") or parent_run_id or (tracker.run_id if is_parent else None)
    run = MirroredRun(
        directory=str(directory.absolute()),
        folder=str(tracking_folder.absolute() / MIRRORS_FOLDER),
        experiment=config.experiment,
        name=config.run_name,
        group=group,
        role="sweep" if is_parent else "trial" if group else "run",
        system_metrics=config.system_metrics,
    )
    mirroring = MirroringTracker(tracker, [MirrorProcess(name, run) for name in config.also])
    if tags:
        mirroring.log_tags(tags)
    return mirroring
