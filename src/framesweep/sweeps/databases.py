"""Keeps studies and runs in separate databases."""

from pathlib import Path

from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from framesweep.config import RunConfig
from framesweep.config.paths import sqlite_path
from framesweep.credentials import scrub
from framesweep.errors import ConfigError
from framesweep.tracking import resolve_tracking_uri

DEFAULT_PORTS = {"postgresql": 5432, "mysql": 3306, "mssql": 1433}
"""The port of a server whose URL names none, by the kind of database."""


def require_separate_databases(storage: str, config: RunConfig) -> None:
    """Raise ConfigError if studies and runs would be in one database.

    Optuna and MLflow record the version of their tables in a table of the same name. Whichever
    comes second takes the other's version for its own, and refuses the database.
    """
    if config.tracking.backend == "none":
        return
    uri = resolve_tracking_uri(config.tracking.uri, Path(config.outputs))
    if _identify_database(storage) == _identify_database(uri):
        raise ConfigError(
            "hydra.sweeper.storage",
            "must not be the database of tracking.uri, since Optuna and MLflow can't share one",
            found=scrub(storage),
            fix="Give one of them a database of its own.",
        )


def _identify_database(url: str) -> object:
    """Return what the URLs of one database have in common, whatever their driver and user."""
    if "://" not in url:
        return url
    if (path := sqlite_path(url)) is not None:
        return path
    try:
        parsed = make_url(url)
    except ArgumentError:
        return url
    backend = parsed.get_backend_name().replace("mariadb", "mysql")
    return backend, parsed.host, parsed.port or DEFAULT_PORTS.get(backend), parsed.database
