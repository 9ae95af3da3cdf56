"""Where MLflow keeps runs: the tracking URI, its database and the experiment."""

import contextlib
import hashlib
import os
import re
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING, Any

from framesweep.catalog.database import DATABASE
from framesweep.config.paths import sqlite_path, sqlite_url
from framesweep.credentials import HIDDEN, URI_VARIABLE, scrub
from framesweep.errors import ConfigError, TrackingError
from framesweep.system.atomic_files import atomic_file
from framesweep.system.locks.file_lock import hold_file_lock
from framesweep.tracking.mlflow_errors import outdated_error
from framesweep.tracking.mlflow_import import import_mlflow
from framesweep.tracking.moved_artifacts import (
    ARTIFACT_FOLDER,
    follow_artifacts,
    require_artifact_folder,
)
from framesweep.tracking.ui_view import EXPERIMENT_TAGS
from hydra_plugins.framesweep_sweeper.storage import add_timeouts, limit_sessions

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient
    from sqlalchemy import Engine

DATABASES = ("sqlite", "postgresql", "mysql", "mssql")
SERVERS = ("http", "https")


def resolve_tracking_uri(uri: str | None, outputs: Path) -> str:
    """Return the absolute URI that `tracking.uri` stands for.

    A URI that is None, or whose password was removed when it was written to a file, is replaced
    by the environment variable FRAMESWEEP_TRACKING_URI. Without that, or if it is empty, runs
    go to SQLite in `outputs`. The path of a SQLite file becomes absolute, because Hydra's jobs
    change their working directory.

    Raises:
        ConfigError: the URI is none that MLflow can keep runs in, or its password is missing.
    """
    where = "tracking.uri"
    if (uri is None or HIDDEN in uri) and (variable := os.environ.get(URI_VARIABLE)):
        where, uri = URI_VARIABLE, variable
    if uri is None:
        return sqlite_url(outputs.absolute() / DATABASE)
    scheme = re.split(r"[:+]", uri, maxsplit=1)[0]
    if "://" not in uri or scheme not in DATABASES + SERVERS:
        raise ConfigError(
            where,
            f"must begin with one of {', '.join(DATABASES + SERVERS)}",
            found=scrub(uri),
            fix="Remove it to use SQLite in the outputs folder.",
        )
    if HIDDEN in uri:
        raise ConfigError(
            where,
            "must be given again, because passwords are never written to a file",
            found=uri,
            fix=f"Set {URI_VARIABLE}, or add tracking.uri=...",
        )
    path = sqlite_path(uri)
    return uri if path is None else sqlite_url(path)


def is_server(uri: str) -> bool:
    """Return whether the URI belongs to an MLflow server rather than to a database."""
    return uri.split(":", maxsplit=1)[0] in SERVERS


def connect(uri: str, outputs: Path) -> "MlflowClient":
    """Return a client for `uri`, after creating the tables of a database that has none.

    Raises:
        TrackingError: the database was created by another version of MLflow, or its driver is
            not installed.
        MlflowException: the server cannot be reached, or refuses.
    """
    import_mlflow()
    from mlflow.tracking import MlflowClient

    path = sqlite_path(uri)
    try:
        if path is not None:
            _create_sqlite_database(path, outputs)
            follow_artifacts(path)
        elif not is_server(uri):
            uri = add_timeouts(uri)
            _create_tables(uri, outputs)
        client = MlflowClient(uri, uri)
        # MLflow offers no way to configure its connections.
        if (engine := getattr(client._tracking_client.store, "engine", None)) is not None:
            limit_sessions(engine)
        return client
    except ImportError as error:
        raise TrackingError(
            "tracking.uri",
            f"needs a database driver ({error})",
            found=scrub(uri),
            fix='Install it, for PostgreSQL with pip install "framesweep[postgres]".',
        ) from None
    except Exception as error:
        # MLflow has no error class of its own for this case.
        if "out-of-date database schema" not in str(error):
            raise
        raise outdated_error(uri) from None


def _require_current_tables(engine: "Engine", uri: str) -> None:
    """Raise TrackingError if MLflow would add tables to a database that has some of them."""
    import sqlalchemy
    from mlflow.store.db import utils

    migrations: Any = utils
    is_used = sqlalchemy.inspect(engine).has_table("alembic_version")
    if is_used and not migrations._all_tables_exist(engine):
        raise outdated_error(uri)


def _create_sqlite_database(path: Path, outputs: Path) -> None:
    """Create the database, unless it exists, under a temporary name and then rename it.

    Without the lock, runs that start together would create tables in the same file. Without the
    renaming, a process that finds the file could take a half-made database for a complete one.
    """
    import sqlalchemy
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    if path.exists():
        engine = sqlalchemy.create_engine(sqlite_url(path))
        try:
            return _require_current_tables(engine, sqlite_url(path))
        finally:
            engine.dispose()
    path.parent.mkdir(parents=True, exist_ok=True)
    with hold_file_lock(path.with_name(f".{path.name}.lock")):
        if path.exists():
            return
        with atomic_file(path) as temporary:
            create: Any = SqlAlchemyStore
            create(sqlite_url(temporary), get_artifact_root(outputs)).engine.dispose()
            with contextlib.closing(sqlite3.connect(temporary)) as connection:
                # With a write-ahead log, readers and the writer never wait for each other:
                # https://sqlite.org/wal.html
                connection.execute("PRAGMA journal_mode=WAL")


def _create_tables(uri: str, outputs: Path) -> None:
    """Create MLflow's tables in a database server, unless they exist.

    The lock is a file, so it only protects processes that share `outputs`; those are the ones
    that a sweep starts at the same moment.
    """
    import sqlalchemy
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    def has_tables() -> bool:
        # Alembic writes this table last, in the same transaction as all migrations.
        return sqlalchemy.inspect(engine).has_table("alembic_version")

    engine = sqlalchemy.create_engine(uri)
    try:
        if not has_tables():
            name = hashlib.sha256(uri.encode()).hexdigest()[:12]
            outputs.mkdir(parents=True, exist_ok=True)
            with hold_file_lock(outputs / f".mlflow-{name}.lock"):
                if not has_tables():
                    create: Any = SqlAlchemyStore
                    create(uri, get_artifact_root(outputs))
        _require_current_tables(engine, uri)
    finally:
        engine.dispose()


def get_artifact_root(outputs: Path) -> str:
    """Return the URI of the folder with the artifacts of runs that a database tracks."""
    return (outputs.absolute() / ARTIFACT_FOLDER).as_uri()


def get_or_create_experiment(client: "MlflowClient", name: str, uri: str, outputs: Path) -> str:
    """Return the id of the experiment `name`, with the tags that the UI's view needs.

    Raises:
        TrackingError: the experiment has been deleted, or its artifacts are on another machine.
    """
    from mlflow.exceptions import MlflowException

    experiment: Any = client.get_experiment_by_name(name)
    if experiment is None:
        # A server decides itself where artifacts go.
        location = None if is_server(uri) else get_artifact_root(outputs)
        try:
            return client.create_experiment(name, location, EXPERIMENT_TAGS)
        except MlflowException as error:
            # Another process has created it since.
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
        experiment = client.get_experiment_by_name(name)
    if experiment.lifecycle_stage != "active":
        raise TrackingError(
            "tracking.experiment",
            "must not be deleted",
            found=name,
            fix=f"Choose another name, or run `mlflow experiments restore "
            f"-x {experiment.experiment_id}`.",
        )
    require_artifact_folder(str(experiment.artifact_location), name)
    for key, value in EXPERIMENT_TAGS.items():
        if key not in experiment.tags:
            client.set_experiment_tag(experiment.experiment_id, key, value)
    return str(experiment.experiment_id)
