"""Reads the runs that are nested under a parent."""

from pathlib import Path

from framesweep.tracking import tracked_runs
from framesweep.tracking.tracked_runs import RunInfo

MAX_CHILDREN = 1000
"""Most children that are read; it is also the most that MLflow returns in one answer."""


def load_children(parent_run_id: str, uri: str | None, outputs: Path) -> list[RunInfo]:
    """Return the runs nested under a parent in the order in which they were started.

    Raises:
        TrackingError: there is no such parent, or tracking cannot be reached.
    """
    with tracked_runs.connect(uri, outputs) as client:
        parent = tracked_runs.get_run(client, parent_run_id, outputs)
        found = client.search_runs(
            [parent.info.experiment_id],
            f"tags.`mlflow.parentRunId` = '{parent.info.run_id}'",
            max_results=MAX_CHILDREN,
            order_by=["attributes.start_time ASC"],
        )
        return [tracked_runs.build_info(run, None, outputs) for run in found]
