"""Opening a database of studies, which the first of several processes creates."""

import contextlib
import shlex
import sqlite3
import warnings
from pathlib import Path

import optuna
from optuna.storages import RDBStorage
from sqlalchemy import event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import IntegrityError, OperationalError, ProgrammingError
from tenacity import retry, retry_if_exception, stop_after_delay, wait_random

from hydra_plugins.framesweep_sweeper._credentials import hide_credentials
from hydra_plugins.framesweep_sweeper.storage._timeouts import add_timeouts, limit_sessions

SQLITE_SCHEMES = ("sqlite:", "sqlite+pysqlite:")
BUSY_SECONDS = 60
"""Seconds that SQLite waits for another process's transaction before it raises an error."""

CREATION_SECONDS = 10
"""Seconds that other processes may take to create the tables of a new database."""


def find_file(url: str) -> Path:
    """Return the path of the file of an absolute SQLite URL, or of a journal."""
    return Path(make_url(url).database or "" if "://" in url else url)


def describe_error(error: BaseException, url: str) -> str:
    """Return why the database at `url` could not be opened: one line without credentials.

    For a database of another version, Optuna raises RuntimeError with an upgrade command.
    """
    first = str(error).strip().split("\n")[0].rstrip(".")
    command = first.replace("`$ ", "`").replace("$STORAGE_URL", shlex.quote(url))
    return hide_credentials(command)


def _is_created_elsewhere(error: BaseException) -> bool:
    """Return whether another process has just created what this one was about to create.

    Optuna looks for each table, creates those that it does not find, and then records its
    version, so that processes that open a new database together get in each other's way.
    """
    kinds = (IntegrityError, OperationalError, ProgrammingError, sqlite3.OperationalError)
    signs = ("already exists", "duplicate", "unique", "is locked")
    return isinstance(error, kinds) and any(sign in str(error).lower() for sign in signs)


@retry(
    retry=retry_if_exception(_is_created_elsewhere),
    stop=stop_after_delay(CREATION_SECONDS),
    wait=wait_random(0, 0.1),
    reraise=True,
)
def open_database(url: str, heartbeat: int | None = None) -> RDBStorage:
    """Open the database at an absolute `url`; create a SQLite file that does not exist.

    Args:
        url: a database URL.
        heartbeat: seconds between the heartbeats of a running trial; None for no heartbeats.

    Raises:
        SQLAlchemyError, sqlite3.Error: it cannot be opened.
        RuntimeError: another version of Optuna created it.
    """
    with warnings.catch_warnings():
        # Optuna marks heartbeats as experimental.
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        if url.startswith(SQLITE_SCHEMES):
            return _open_sqlite(url, heartbeat)
        return _open_server(url, heartbeat)


def _open_server(url: str, heartbeat: int | None) -> RDBStorage:
    # Each process keeps a single connection open: with a thousand workers, SQLAlchemy's
    # default of five would exhaust the server's connections.
    options = {"pool_pre_ping": True, "pool_size": 1, "max_overflow": 10}
    storage = RDBStorage(add_timeouts(url), engine_kwargs=options, heartbeat_interval=heartbeat)
    limit_sessions(storage.engine)
    return storage


def _open_sqlite(url: str, heartbeat: int | None) -> RDBStorage:
    path = find_file(url)
    path.parent.mkdir(parents=True, exist_ok=True)
    # Write-ahead logging lets processes read while one writes (https://sqlite.org/wal.html).
    # It is a property of the file, so setting it once is enough.
    with contextlib.closing(sqlite3.connect(path, timeout=BUSY_SECONDS)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
    options = {"connect_args": {"timeout": BUSY_SECONDS}}
    storage = RDBStorage(url, engine_kwargs=options, heartbeat_interval=heartbeat)
    event.listen(storage.engine, "connect", _relax_synchronization)
    storage.engine.dispose()  # so that connections opened until now are opened anew
    return storage


def _relax_synchronization(connection: sqlite3.Connection, record: object) -> None:
    """Let SQLite sync to the disk at checkpoints only, not at each commit.

    With write-ahead logging a commit then still survives `kill -9` of every process; only a
    power failure can lose the last ones, and never corrupts the file
    (https://sqlite.org/pragma.html#pragma_synchronous).
    """
    connection.execute("PRAGMA synchronous=NORMAL")
