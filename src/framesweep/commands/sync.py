"""framesweep sync: send what could not be sent while tracking was away."""

import sys
from pathlib import Path

import click

from framesweep.commands.options import tracking_options
from framesweep.errors import UserError

SECONDS = 60.0


@click.command("sync", help="Send what runs logged while tracking could not be reached.")
@click.argument(
    "directories", nargs=-1, type=click.Path(path_type=Path, exists=True, file_okay=False)
)
@click.option("--experiment", help="Its name; without it, as the run was configured.")
@tracking_options
def command(
    directories: tuple[Path, ...], uri: str | None, experiment: str | None, outputs: Path
) -> None:
    from framesweep.tracking import UnreachableError, find_unsent_runs, sync

    code = 0
    for directory in directories or find_unsent_runs(outputs):
        try:
            sync(directory, outputs, SECONDS, uri=uri, experiment=experiment)
        except UnreachableError:
            raise  # the others would wait as long
        except UserError as error:
            click.echo(f"error: {error}", err=True)
            code = error.exit_code
        else:
            click.echo(f"{directory}: sent")
    sys.exit(code)
