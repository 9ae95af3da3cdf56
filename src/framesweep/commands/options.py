"""Options that commands on finished runs share."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from framesweep.runs.ensemble import TrainedRun


def tracking_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Where runs are found: --uri and --outputs."""
    for option in (
        click.option(
            "--uri",
            help="Tracking URI; without it, FRAMESWEEP_TRACKING_URI or outputs/mlflow.db.",
        ),
        click.option(
            "--outputs",
            type=click.Path(path_type=Path),
            default=lambda: Path(os.environ.get("FRAMESWEEP_OUTPUTS", "outputs")),
            help="Folder that runs wrote to.  [default: outputs]",
        ),
    ):
        function = option(function)
    return function


def run_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """--uri, --outputs, and --set for keys that differ from when the run was trained."""
    function = click.option(
        "--set",
        "overrides",
        metavar="KEY=VALUE",
        multiple=True,
        help="Change a key of the run's config, as data.root=/elsewhere.",
    )(function)
    return tracking_options(function)


def load_runs(
    run_ids: Sequence[str], uri: str | None, outputs: Path, overrides: Sequence[str]
) -> list[TrainedRun]:
    """The trained runs of these ids or directories.

    Raises:
        TrackingError: an id is not there.
    """
    from framesweep.runs.ensemble import load_trained
    from framesweep.tracking import find_run_directory

    return [
        load_trained(find_run_directory(run_id, uri, outputs), overrides) for run_id in run_ids
    ]
