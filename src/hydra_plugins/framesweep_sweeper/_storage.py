"""Opens a study's storage so that many processes can write to it, and keeps its heartbeats."""

import contextlib
import logging
import sqlite3
import threading
import time
import warnings
from collections.abc import Iterable
from pathlib import Path

import optuna
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages._heartbeat import BaseHeartbeat
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial
from sqlalchemy import event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from hydra_plugins.framesweep_sweeper._errors import SweepError
from hydra_plugins.framesweep_sweeper._patience import patient, seconds_since_outage

SQLITE_PREFIX = "sqlite:///"
JOURNAL_SUFFIX = ".journal"
BUSY_SECONDS = 60
HEARTBEAT = "framesweep:heartbeat"
GRACE_BEATS = 2
MISSED_SECONDS = 5.0
"""Seconds to the next sign of life after one that could not be given."""

# Of each statement that a server did not answer it would print the SQL; we say it in a line.
logging.getLogger("optuna.storages._rdb.storage").setLevel(logging.ERROR)


def absolute(url: str, directory: str | Path) -> str:
    """`url` with a relative path of a SQLite or journal file taken from `directory`."""
    if url.endswith(JOURNAL_SUFFIX) and "://" not in url:
        return str(Path(directory, url).absolute())
    if url.startswith(SQLITE_PREFIX):
        return SQLITE_PREFIX + str(Path(directory, url.removeprefix(SQLITE_PREFIX)).absolute())
    return url


def shown(url: str) -> str:
    """`url` as it may be printed: without password."""
    return make_url(url).render_as_string(hide_password=True) if "://" in url else url


def check_driver(url: str) -> None:
    """Raises SweepError for a URL of no known database, or where its driver is missing."""
    if "://" not in url:
        return
    try:
        make_url(url).get_dialect().import_dbapi()
    except ArgumentError as error:
        raise SweepError(f"hydra.sweeper.storage: {shown(url)} ({error})") from None
    except ImportError as error:
        extra = '"framesweep[postgres]"' if url.startswith("postgresql") else error.name
        raise SweepError(
            f"hydra.sweeper.storage: {shown(url)} needs {error.name}. Run: pip install {extra}"
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
            return patient(optuna.storages.get_storage(_open_database(url, heartbeat)))
    except Exception as error:
        reason = str(error).strip().split("\n")[0].replace(url, shown(url))
        raise SweepError(
            f"hydra.sweeper.storage: {shown(url)} cannot be opened ({reason})"
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


def stale_trials(
    storage: BaseStorage, study_id: int, trials: Iterable[FrozenTrial], heartbeat: int
) -> set[int]:
    """Numbers of those running `trials` whose heartbeat has stopped."""
    if seconds_since_outage() < heartbeat:
        return set()  # who could not sign while the server was away shall do so first
    if (database := database_of(storage)) is not None:
        ids = set(database._get_stale_trial_ids(study_id))
        return {trial.number for trial in trials if trial._trial_id in ids}
    oldest = time.time() - GRACE_BEATS * heartbeat
    return {
        trial.number for trial in trials if trial.system_attrs.get(HEARTBEAT, oldest) < oldest
    }


def database_of(storage: BaseStorage) -> BaseHeartbeat | None:
    """The database behind `storage`, which keeps heartbeats itself; None for a journal."""
    return getattr(storage, "inner", None)


class Heart:
    """A thread that gives signs of life for the trials this process answers for."""

    def __init__(self, storage: BaseStorage, seconds: float) -> None:
        self._storage = storage
        self._seconds = seconds
        self._trial_ids: set[int] = set()
        self._wake = threading.Event()
        self._lock = threading.Lock()
        self._ended = False
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)
        self._thread.start()

    def add(self, trial_id: int) -> None:
        self.beat(trial_id)
        with self._lock:
            self._trial_ids.add(trial_id)

    def remove(self, trial_id: int) -> None:
        with self._lock:
            self._trial_ids.discard(trial_id)

    def stop(self) -> None:
        self._ended = True
        self._wake.set()
        self._thread.join()

    def beat(self, trial_id: int) -> bool:
        """Records one sign of life; False where the storage cannot be reached."""
        try:
            if (database := database_of(self._storage)) is not None:
                database.record_heartbeat(trial_id)
            else:
                self._storage.set_trial_system_attr(trial_id, HEARTBEAT, time.time())
        except Exception:
            return False
        return True

    def _run(self) -> None:
        pause = self._seconds
        while not self._wake.wait(pause) and not self._ended:
            with self._lock:
                trial_ids = tuple(self._trial_ids)
            missed = sum(not self.beat(trial_id) for trial_id in trial_ids)
            pause = self._seconds if not missed else min(self._seconds, MISSED_SECONDS)
