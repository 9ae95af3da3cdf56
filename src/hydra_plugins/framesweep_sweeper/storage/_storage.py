"""Opens a study's storage so that many processes can write to it."""

import contextlib
import logging
import sqlite3
import warnings
from pathlib import Path

import optuna
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend
from sqlalchemy import event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from hydra_plugins.framesweep_sweeper._errors import SweepError
from hydra_plugins.framesweep_sweeper.storage._retrying_storage import add_retries

SQLITE_PREFIX = "sqlite:///"
JOURNAL_SUFFIX = ".journal"
BUSY_SECONDS = 60

# Of each statement that a server did not answer it would print the SQL; we say it in a line.
logging.getLogger("optuna.storages._rdb.storage").setLevel(logging.ERROR)


def make_absolute(url: str, directory: str | Path) -> str:
    """`url` with a relative path of a SQLite or journal file taken from `directory`."""
    if url.endswith(JOURNAL_SUFFIX) and "://" not in url:
        return str(Path(directory, url).absolute())
    if url.startswith(SQLITE_PREFIX):
        return SQLITE_PREFIX + str(Path(directory, url.removeprefix(SQLITE_PREFIX)).absolute())
    return url


def hide_password(url: str) -> str:
    """`url` as it may be printed: without password."""
    return make_url(url).render_as_string(hide_password=True) if "://" in url else url


def check_driver(url: str) -> None:
    """Raises SweepError for a URL of no known database, or where its driver is missing."""
    if "://" not in url:
        return
    try:
        make_url(url).get_dialect().import_dbapi()
    except ArgumentError as error:
        raise SweepError(f"hydra.sweeper.storage: {hide_password(url)} ({error})") from None
    except ImportError as error:
        extra = '"framesweep[postgres]"' if url.startswith("postgresql") else error.name
        raise SweepError(
            f"hydra.sweeper.storage: {hide_password(url)} needs {error.name}. "
            f"Run: pip install {extra}"
        ) from None


def open_storage(url: str, heartbeat: int) -> BaseStorage:
    """The storage at an absolute `url`; a file is made where it is missing.

    Raises:
        SweepError: it cannot be had.
    """
    try:
        if url.endswith(JOURNAL_SUFFIX) and "://" not in url:
            Path(url).parent.mkdir(parents=True, exist_ok=True)
            return JournalStorage(JournalFileBackend(url))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            return add_retries(optuna.storages.get_storage(_open_database(url, heartbeat)))
    except Exception as error:
        reason = str(error).strip().split("\n")[0].replace(url, hide_password(url))
        raise SweepError(
            f"hydra.sweeper.storage: {hide_password(url)} cannot be opened ({reason})"
        ) from error


def _open_database(url: str, heartbeat: int) -> RDBStorage:
    if not url.startswith(SQLITE_PREFIX):
        # One connection a process stays open: a thousand workers are a thousand of them.
        options = {"pool_pre_ping": True, "pool_size": 1, "max_overflow": 10}
        return RDBStorage(url, engine_kwargs=options, heartbeat_interval=heartbeat)
    path = Path(url.removeprefix(SQLITE_PREFIX))
    path.parent.mkdir(parents=True, exist_ok=True)
    # Write-ahead logging lets readers and one writer work at once; the file remembers it.
    with contextlib.closing(sqlite3.connect(path, timeout=BUSY_SECONDS)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
    options_sqlite = {"connect_args": {"timeout": BUSY_SECONDS}}
    storage = RDBStorage(url, engine_kwargs=options_sqlite, heartbeat_interval=heartbeat)
    event.listen(storage.engine, "connect", _need_no_sync)
    storage.engine.dispose()
    return storage


def _need_no_sync(connection: sqlite3.Connection, record: object) -> None:
    """With a write-ahead log, what a killed process has committed stays without a sync."""
    connection.execute("PRAGMA synchronous=NORMAL")
