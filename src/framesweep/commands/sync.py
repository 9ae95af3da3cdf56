"""framesweep sync: send what could not be sent while tracking was away."""

from pathlib import Path

import click

from framesweep.commands.options import tracking_options
from framesweep.config import TrackingConfig
from framesweep.errors import TrackingError

SECONDS = 60.0


@click.command("sync", help="Send what runs logged while tracking could not be reached.")
@click.argument(
    "directories", nargs=-1, type=click.Path(path_type=Path, exists=True, file_okay=False)
)
@click.option("--experiment", default="framesweep", show_default=True, help="Its name.")
@tracking_options
def command(
    directories: tuple[Path, ...], uri: str | None, experiment: str, outputs: Path
) -> None:
    from framesweep.tracking import sync, waiting

    config = TrackingConfig(uri=uri, experiment=experiment)
    for directory in directories or waiting(outputs):
        left = sync(config, outputs, directory, SECONDS)
        if left:
            raise TrackingError(directory, f"{left} records still wait", fix="Try again later.")
        click.echo(f"{directory}: sent")
