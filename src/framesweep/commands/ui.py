"""framesweep ui: serve the MLflow UI, in which runs can be compared."""

from pathlib import Path

import click

from framesweep.commands.common.options import tracking_options


@click.command("ui", help="Compare runs in the MLflow UI, until Ctrl-C.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port",
    type=click.IntRange(1, 65_535),
    default=5000,
    show_default=True,
    help="Port to listen on.",
)
@tracking_options
def command(host: str, port: int, uri: str | None, outputs: Path) -> None:
    from framesweep.tracking import serve_ui

    def announce(url: str) -> None:
        click.echo(f"MLflow UI: {url}")

    serve_ui(uri, outputs, host, port, announce)
