"""Outputs folders with runs that nothing had to train."""

import pytest

from framesweep.config import TrackingConfig
from framesweep.config.paths import CONFIG_FILE
from framesweep.tracking import open_tracker


@pytest.fixture
def track(tracked_outputs):
    """A function that tracks a run in `outputs`, and returns its MLflow id and directory."""

    def track(path, name=None, *, status="FINISHED", parent=None, tags=None, **metrics):
        directory = tracked_outputs / path
        config = TrackingConfig(run_name=name, tags=tags or {})
        tracker = open_tracker(config, tracked_outputs, directory, parent_run_id=parent)
        (directory / CONFIG_FILE).touch()
        for metric, value in metrics.items():
            tracker.log_epoch(3, {metric.replace("_", "/", 1): value})
        tracker.finish(status)
        return tracker.run_id, directory

    return track
