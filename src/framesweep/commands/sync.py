"""framesweep sync: send logs that could not reach the tracking server."""

import sys
from pathlib import Path

import click

from framesweep.commands.options import tracking_options
from framesweep.errors import UserError

TIMEOUT_SECONDS = 60.0
"""Time to wait for the tracking server."""


@click.command("sync", help="Send logs of runs that could not reach the tracking server.")
@click.argument(
    "directories", nargs=-1, type=click.Path(path_type=Path, exists=True, file_okay=False)
)
@click.option("--experiment", help="Name of the experiment.  [default: that of the run]")
@tracking_options
def command(
    directories: tuple[Path, ...], uri: str | None, experiment: str | None, outputs: Path
) -> None:
    from framesweep.tracking import UnreachableError, find_unsent_runs, sync

    code = 0
    for directory in directories or find_unsent_runs(outputs):
        try:
            sync(directory, outputs, TIMEOUT_SECONDS, uri=uri, experiment=experiment)
        except UnreachableError:
            raise  # the other runs would wait for the same server
        except UserError as error:
            click.echo(f"error: {error}", err=True)
            code = error.exit_code
        else:
            click.echo(f"{directory}: sent")
    sys.exit(code)
