"""framesweep sync: send logs that could not reach the tracking server."""

import sys
from pathlib import Path
from typing import Any

import click

from framesweep.commands.common.options import tracking_options
from framesweep.commands.common.output import echo_json, json_option
from framesweep.errors import UserError

TIMEOUT_SECONDS = 60.0
"""Time to wait for the tracking server."""


@click.command("sync", help="Send logs of runs that could not reach the tracking server.")
@click.argument(
    "directories", nargs=-1, type=click.Path(path_type=Path, exists=True, file_okay=False)
)
@click.option("--experiment", help="Name of the experiment.  [default: that of the run]")
@json_option
@tracking_options
def command(
    directories: tuple[Path, ...],
    *,
    experiment: str | None,
    as_json: bool,
    uri: str | None,
    outputs: Path,
) -> None:
    from framesweep.tracking import UnreachableError, find_unsent_runs, sync

    code = 0
    results: list[dict[str, Any]] = []
    for directory in directories or find_unsent_runs(outputs):
        try:
            sync(directory, outputs, TIMEOUT_SECONDS, uri=uri, experiment=experiment)
        except UserError as error:
            click.echo(f"error: {error}", err=True)
            code = error.exit_code
            results.append({"directory": directory, "is_sent": False, "error": str(error)})
            if isinstance(error, UnreachableError):
                break  # the other runs would wait for the same server
        else:
            results.append({"directory": directory, "is_sent": True, "error": None})
            if not as_json:
                click.echo(f"{directory}: sent")
    if as_json:
        echo_json(results)
    elif not results:
        click.echo(f"nothing in {outputs} waits to be sent")
    sys.exit(code)
