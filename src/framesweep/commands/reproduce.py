"""framesweep reproduce: does a run's result come out the same again?"""

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
"""Tags that can explain another result."""


@click.command("reproduce")
@click.argument("run_id", metavar="RUN_ID")
@tracking_options
def command(run_id: str, uri: str | None, outputs: Path) -> None:
    """Train a run again from its logged config, and say whether its objective comes out the
    same; the exit code is 1 where it does not."""
    from framesweep.errors import TrackingError
    from framesweep.runs.reruns import read_config, run_again
    from framesweep.tracking import load_run

    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    before = load_run(run_id, uri, outputs)
    objective = read_config(before.directory, []).objective
    name = f"best/{objective.partition('/')[2]}"
    if name not in before.metrics:
        raise TrackingError(
            f"run {run_id}", f"must have the metric {name}", fix="Has it finished?"
        )
    directory, value = run_again(before.directory, outputs, uri)
    after = load_run(str(directory), uri, outputs)
    then, now = before.metrics[name], value
    click.echo(f"{objective}: {then!r} then, {now!r} now")
    if then == now:
        click.echo("the same, to the last bit")
        return
    click.echo(f"differs by {now - then:+.3g}{_explanation(before, after)}")
    sys.exit(1)


def _explanation(before: RunInfo, after: RunInfo) -> str:
    changed = [
        f"{word} {before.tags.get(tag, '-')[:12]} -> {after.tags.get(tag, '-')[:12]}"
        for tag, word in CIRCUMSTANCES.items()
        if before.tags.get(tag) != after.tags.get(tag)
    ]
    return f"; what else has changed: {', '.join(changed)}" if changed else ""
