"""framesweep reproduce: train a run again and check that its result is reproducible."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from framesweep.commands.options import tracking_options

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
@tracking_options
def command(run_id: str, uri: str | None, outputs: Path) -> None:
    """Train a run again with its config and compare the objective.

    The exit code is 1 if the objective differs.
    """
    from framesweep.errors import TrackingError
    from framesweep.runs.reruns import read_config, run_again
    from framesweep.sweeps.objective_names import name_best
    from framesweep.tracking import load_run

    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    before = load_run(run_id, uri, outputs)
    objective = read_config(before.directory, []).objective
    name = name_best(objective)
    # A run that was stopped has the metric, too, but the tag only comes at the end.
    if name not in before.metrics or "best_epoch" not in before.tags:
        raise TrackingError(
            f"run {run_id}",
            f"must have the metric {name}, and have ended",
            fix="Resume it until it finishes.",
        )
    directory, value = run_again(before.directory, outputs, uri, f"again: {before.name}")
    after = load_run(str(directory), uri, outputs)
    first, second = before.metrics[name], value
    click.echo(f"{objective}: {first!r} in the first run, {second!r} in the second")
    if first == second:
        click.echo("reproducible: equal to the last bit")
        return
    click.echo(f"not reproducible: differs by {second - first:+.3g}{_explain(before, after)}")
    sys.exit(1)


def _explain(before: RunInfo, after: RunInfo) -> str:
    changed = [
        f"{word} {before.tags.get(tag, '-')[:12]} -> {after.tags.get(tag, '-')[:12]}"
        for tag, word in CIRCUMSTANCES.items()
        if before.tags.get(tag) != after.tags.get(tag)
    ]
    return f"; these have changed, too: {', '.join(changed)}" if changed else ""
