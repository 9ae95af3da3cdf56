"""framesweep reproduce: train a run again and check that its result is reproducible."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from framesweep.commands.common.options import tracking_options
from framesweep.commands.common.output import echo_result, json_option

if TYPE_CHECKING:
    from framesweep.tracking import RunInfo

CIRCUMSTANCES = {
    "framesweep.host": "host",
    "framesweep.version": "framesweep",
    "mlflow.source.git.commit": "commit",
    "framesweep.data_fingerprint": "data",
}
"""Tags whose change can explain a different result, and their names in the output."""


@click.command("reproduce")
@click.argument("run_id", metavar="RUN_ID")
@json_option
@tracking_options
def command(run_id: str, *, as_json: bool, uri: str | None, outputs: Path) -> None:
    """Train a run again with its config and compare the objective.

    The exit code is 1 if the objective differs.
    """
    from framesweep.runs.reruns import read_config, run_again
    from framesweep.tracking import load_run

    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    before = load_run(run_id, uri, outputs)
    objective = read_config(before.directory, []).objective
    first = _find_result(before, objective)
    directory, second = run_again(before.directory, outputs, uri, f"again: {before.name}")
    after = load_run(str(directory), uri, outputs)
    is_equal = first == second
    verdict = (
        "reproducible: equal to the last bit"
        if is_equal
        else f"not reproducible: differs by {second - first:+.3g}{_explain(before, after)}"
    )
    echo_result(
        as_json,
        {
            "objective": objective,
            "first": first,
            "second": second,
            "is_reproducible": is_equal,
            "directory": directory,
            "changed": _find_changes(before, after),
        },
        f"{objective}: {first!r} in the first run, {second!r} in the second",
        verdict,
    )
    if not is_equal:
        sys.exit(1)


def _find_result(run: RunInfo, objective: str) -> float:
    """Return the objective in the best epoch of a run that has ended.

    Raises:
        TrackingError: if it has not ended.
        CheckpointError: if it is not tracked, and its metrics cannot be read.
    """
    from framesweep.errors import TrackingError
    from framesweep.runs.reporting.history import REPORT_FOLDER, read_history
    from framesweep.sweeps.run_names import name_best

    name = name_best(objective)
    # A run that was stopped has the metric, too, but the tag only comes at the end.
    if name in run.metrics and "best_epoch" in run.tags:
        return run.metrics[name]
    # A run without tracking has its report once it has ended.
    if not run.metrics and (run.directory / REPORT_FOLDER).exists():
        history = read_history(run.directory)
        return history.epochs[history.best_epoch - 1][objective]
    raise TrackingError(
        f"run {run.run_id or run.directory}",
        f"must have the metric {name}, and have ended",
        fix="Resume it until it finishes.",
    )


def _find_changes(before: RunInfo, after: RunInfo) -> dict[str, list[str]]:
    """Return the circumstances that differ: their name, and the values in both runs."""
    return {
        word: [before.tags.get(tag, "-"), after.tags.get(tag, "-")]
        for tag, word in CIRCUMSTANCES.items()
        if before.tags.get(tag) != after.tags.get(tag)
    }


def _explain(before: RunInfo, after: RunInfo) -> str:
    changed = [
        f"{word} {first[:12]} -> {second[:12]}"
        for word, (first, second) in _find_changes(before, after).items()
    ]
    return f"; these have changed, too: {', '.join(changed)}" if changed else ""
