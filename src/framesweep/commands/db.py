"""framesweep db: look after MLflow's database."""

from pathlib import Path

import click

from framesweep.commands.common.options import tracking_options
from framesweep.commands.common.output import echo_json, json_option


@click.group("db", help="Upgrade MLflow's database to the installed MLflow.")
def command() -> None:
    pass


@command.command("upgrade", help="Back the database up, then upgrade its tables.")
@click.option(
    "--backed-up",
    is_flag=True,
    help="You have backed up the database; needed for one that is not a SQLite file.",
)
@json_option
@tracking_options
def _upgrade(uri: str | None, outputs: Path, *, backed_up: bool, as_json: bool) -> None:
    from framesweep.tracking import mlflow_store
    from framesweep.tracking.database_upgrade import upgrade_database
    from framesweep.tracking.mlflow_import import import_mlflow

    import_mlflow()
    full_uri = mlflow_store.resolve_tracking_uri(uri, outputs)
    upgrade = upgrade_database(full_uri, outputs, backed_up=backed_up)
    if as_json:
        echo_json(upgrade._asdict())
        return
    if upgrade.before == upgrade.after:
        click.echo(f"The tables are those of the installed MLflow ({upgrade.after}).")
        return
    click.echo(f"Upgraded the tables from {upgrade.before} to {upgrade.after}.")
    if upgrade.backup is not None:
        click.echo(f"backup: {upgrade.backup}")
