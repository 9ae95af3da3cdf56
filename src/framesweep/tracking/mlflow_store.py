"""Where runs are kept: the tracking URI, its database, its experiment."""

import contextlib
import hashlib
import logging
import os
import re
import sqlite3
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock

from framesweep.credentials import HIDDEN, scrub
from framesweep.errors import ConfigError, TrackingError
from framesweep.system.atomic_files import atomic_file
from framesweep.tracking.ui_view import EXPERIMENT_TAGS

if TYPE_CHECKING:
    from mlflow.exceptions import MlflowException
    from mlflow.tracking import MlflowClient

DATABASES = ("sqlite", "postgresql", "mysql", "mssql")
SERVERS = ("http", "https")
URI_VARIABLE = "FRAMESWEEP_TRACKING_URI"
"""Variable of the environment with the tracking URI where `tracking.uri` does not say."""

ENVIRONMENT_DEFAULTS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "GIT_PYTHON_REFRESH": "quiet",
}
"""What MLflow reads from the environment: no reports home, and retries left to the sender."""

TEMPORARY_ERROR_CODES = {
    "TEMPORARILY_UNAVAILABLE",
    "INTERNAL_ERROR",
    "REQUEST_LIMIT_EXCEEDED",
    "RESOURCE_EXHAUSTED",
    "DEADLINE_EXCEEDED",
    "ABORTED",
    "CANCELLED",
}
"""MLflow's codes of errors that may be over at the next attempt."""


def resolve_tracking_uri(uri: str | None, outputs: Path) -> str:
    """The absolute URI that `tracking.uri` stands for.

    Where it is null, or comes from a file, which keeps no password, URI_VARIABLE of the
    environment goes before it.

    Raises:
        ConfigError: MLflow keeps no runs behind such a URI, or it lacks its password.
    """
    if uri is None or HIDDEN in uri:
        uri = os.environ.get(URI_VARIABLE, uri)
    if uri is None:
        return f"sqlite:///{outputs.absolute() / 'mlflow.db'}"
    scheme = re.split(r"[:+]", uri, maxsplit=1)[0]
    if "://" not in uri or scheme not in DATABASES + SERVERS:
        raise ConfigError(
            "tracking.uri",
            f"must begin with one of {', '.join(DATABASES + SERVERS)}",
            found=scrub(uri),
            fix="Leave it out for SQLite in the outputs folder.",
        )
    if HIDDEN in uri:
        raise ConfigError(
            "tracking.uri",
            "must be given again, as passwords are kept in no file",
            found=uri,
            fix=f"Set {URI_VARIABLE}, or add tracking.uri=...",
        )
    path = get_sqlite_path(uri)
    return uri if path is None else f"sqlite:///{path}"


def get_sqlite_path(uri: str) -> Path | None:
    """The absolute path of a SQLite database's file; None for other URIs."""
    return (
        Path(uri.removeprefix("sqlite:///")).absolute() if uri.startswith("sqlite:") else None
    )


def is_server(uri: str) -> bool:
    """Whether the URI is of an MLflow server rather than of a database."""
    return uri.split(":", maxsplit=1)[0] in SERVERS


def import_mlflow() -> None:
    """Imports MLflow, which takes a second or more, with its chatter turned down."""
    for name, value in ENVIRONMENT_DEFAULTS.items():
        os.environ.setdefault(name, value)
    import mlflow  # noqa: F401

    # Its advice to run the model once while it is logged, which would cost seconds.
    warnings.filterwarnings("ignore", ".*input example was not provided", UserWarning)
    logging.getLogger("mlflow").setLevel(logging.ERROR)
    logging.getLogger("mlflow.store.db").setLevel(logging.CRITICAL)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    # The sender says when a server is away, once; urllib3 would with every attempt.
    logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)


def connect(uri: str, outputs: Path) -> "MlflowClient":
    """A client for `uri`; a database that has no tables yet gets them, once.

    Raises:
        TrackingError: the database is of another MLflow version, or lacks its driver.
        MlflowException: the server cannot be reached, or says no.
    """
    import_mlflow()
    from mlflow.tracking import MlflowClient

    path = get_sqlite_path(uri)
    try:
        if path is not None:
            _create_sqlite_database(path, outputs)
        elif not is_server(uri):
            _create_tables(uri, outputs)
        return MlflowClient(uri, uri)
    except ImportError as error:
        raise TrackingError(
            "tracking.uri",
            f"needs a database driver ({error})",
            found=scrub(uri),
            fix='Install it, for PostgreSQL with pip install "framesweep[postgres]".',
        ) from None
    except Exception as error:
        if "out-of-date database schema" not in str(error):
            raise
        raise TrackingError(
            scrub(uri),
            "must have the tables of the installed MLflow",
            fix=f"Back it up, then run `mlflow db upgrade {scrub(uri)}`.",
        ) from None


def _create_sqlite_database(path: Path, outputs: Path) -> None:
    """Makes the database beside its place and renames it, so that nobody meets half of it."""
    if path.exists():
        return
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path.with_name(f".{path.name}.lock")):
        if path.exists():
            return
        with atomic_file(path) as temporary:
            make: Any = SqlAlchemyStore
            make(f"sqlite:///{temporary}", get_artifact_root(outputs)).engine.dispose()
            with contextlib.closing(sqlite3.connect(temporary)) as connection:
                # Readers then never wait for a writer, nor a writer for readers.
                connection.execute("PRAGMA journal_mode=WAL")


def _create_tables(uri: str, outputs: Path) -> None:
    import sqlalchemy
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    def has_tables() -> bool:
        # Written last, in the same transaction as all migrations.
        return sqlalchemy.inspect(engine).has_table("alembic_version")

    engine = sqlalchemy.create_engine(uri)
    try:
        if not has_tables():
            name = hashlib.sha256(uri.encode()).hexdigest()[:12]
            outputs.mkdir(parents=True, exist_ok=True)
            with FileLock(outputs / f".mlflow-{name}.lock"):
                if not has_tables():
                    make: Any = SqlAlchemyStore
                    make(uri, get_artifact_root(outputs))
    finally:
        engine.dispose()


def get_artifact_root(outputs: Path) -> str:
    """URI of the folder for artifacts of runs that are kept in a database."""
    return (outputs.absolute() / "artifacts").as_uri()


def get_or_create_experiment(client: "MlflowClient", name: str, uri: str, outputs: Path) -> str:
    """Id of the experiment, made where it is not there yet.

    Raises:
        TrackingError: the experiment has been deleted.
    """
    from mlflow.exceptions import MlflowException

    experiment: Any = client.get_experiment_by_name(name)
    if experiment is None:
        location = None if is_server(uri) else get_artifact_root(outputs)
        try:
            return client.create_experiment(name, location, EXPERIMENT_TAGS)
        except MlflowException as error:
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
    for key, value in EXPERIMENT_TAGS.items():
        if key not in experiment.tags:
            client.set_experiment_tag(experiment.experiment_id, key, value)
    return str(experiment.experiment_id)


def is_temporary(error: "MlflowException") -> bool:
    """Whether the next attempt may go through."""
    from sqlalchemy.exc import InterfaceError, TimeoutError

    # MLflow calls a lost connection, and all connections in use, a bad request.
    busy = isinstance(error.__cause__, (InterfaceError, TimeoutError))
    return busy or error.error_code in TEMPORARY_ERROR_CODES


@contextlib.contextmanager
def translate_temporary_errors() -> Iterator[None]:
    """Lets ConnectionError out for whatever may be over at the next attempt."""
    import sqlalchemy.exc
    from mlflow.exceptions import MlflowException

    try:
        yield
    except MlflowException as error:
        if is_temporary(error):
            raise ConnectionError(str(error)) from error
        raise
    except sqlalchemy.exc.OperationalError as error:
        raise ConnectionError(str(error)) from error
