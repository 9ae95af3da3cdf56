"""A lock per storage that one process holds at a time, on whichever machine it runs."""

import contextlib
import hashlib
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import sqlalchemy
from filelock import FileLock, Timeout
from sqlalchemy.engine import make_url

from hydra_plugins.framesweep_sweeper._errors import SweepError
from hydra_plugins.framesweep_sweeper._file_lock import acquire_patiently
from hydra_plugins.framesweep_sweeper.storage._database import find_file
from hydra_plugins.framesweep_sweeper.storage._retrying_storage import (
    StudyLockedError,
    retry_while_unavailable,
)
from hydra_plugins.framesweep_sweeper.storage._timeouts import add_timeouts, limit_sessions

LOCK_SECONDS = 120
"""Seconds to wait for the lock of a server, after which a stalled holder loses it."""

POSTGRESQL_KEY = 0x6672616D65737765
"""The key of the advisory lock. One for all studies, since PostgreSQL keeps the advisory locks
of each database apart. It spells "framesweep" in ASCII as far as 64 bits go."""


class StorageLock:
    """A lock that is released when its holder ends, also if the holder is killed or stalls.

    SQLite and journal files are locked through a file next to them. PostgreSQL and MySQL are
    locked through their own advisory locks, which the server releases together with the
    connection. For any other server a file in the temporary directory keeps the sweepers of one
    machine apart, but not those of several machines.

    Args:
        url: the absolute URL or path of the storage.
    """

    def __init__(self, url: str) -> None:
        self._engine: sqlalchemy.Engine | None = None
        parsed = make_url(url) if "://" in url else None
        backend = parsed.get_backend_name() if parsed is not None else "file"
        if parsed is not None and backend in ("postgresql", "mysql", "mariadb"):
            # A separate connection while the lock is held, and none in between.
            self._engine = sqlalchemy.create_engine(
                add_timeouts(url), poolclass=sqlalchemy.NullPool
            )
            limit_sessions(self._engine)
            self._name = f"framesweep {_digest(parsed.database or '')}"
            return
        if backend in ("file", "sqlite"):
            path = Path(f"{find_file(url)}.claims")
        else:
            path = Path(tempfile.gettempdir(), f"framesweep-{_digest(url)}.lock")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()  # FileLock would wait for a file that it cannot create
        except OSError as error:
            raise SweepError(
                "hydra.sweeper.storage: must be in a folder that can be written to, or created "
                f"({error.strerror}); found {path.parent}"
            ) from error
        self._file = FileLock(path)

    @contextlib.contextmanager
    def hold(self) -> Iterator[Callable[[], bool]]:
        """Hold the lock within the context; yield a function that checks whether it still does.

        The server takes the lock away when it restarts, or when the holder stalls for
        `LOCK_SECONDS`. A holder therefore has to check after its writes that no other process
        can have held the lock meanwhile, and undo them otherwise.

        Raises:
            StudyLockedError: another process has held the lock of a file for `GIVE_UP_SECONDS`,
                as one that is suspended does.
        """
        if self._engine is None:
            with self._acquire_file():
                yield lambda: True
            return
        connection = retry_while_unavailable(self._acquire)
        try:
            yield lambda: _is_alive(connection)
        finally:
            # Closing the connection releases the lock. Invalidating it first skips the
            # ROLLBACK, which would raise an error if the server has gone away meanwhile.
            connection.invalidate()
            connection.close()

    def _acquire_file(self) -> contextlib.AbstractContextManager[object]:
        try:
            return acquire_patiently(self._file)
        except Timeout as error:
            raise StudyLockedError from error

    def _acquire(self) -> sqlalchemy.Connection:
        assert self._engine is not None
        connection = self._engine.connect()
        try:
            if self._engine.dialect.name == "postgresql":
                _acquire_postgresql(connection)
            else:
                self._acquire_mysql(connection)
        except BaseException:
            connection.invalidate()
            connection.close()
            raise
        return connection

    def _acquire_mysql(self, connection: sqlalchemy.Connection) -> None:
        acquire = sqlalchemy.text("SELECT GET_LOCK(:name, :seconds)")
        acquired = connection.scalar(acquire, {"name": self._name, "seconds": LOCK_SECONDS})
        if acquired != 1:
            # One of `TRANSIENT_ERRORS`, so that the wait is repeated.
            raise StudyLockedError


def _acquire_postgresql(connection: sqlalchemy.Connection) -> None:
    """Take the lock for the length of a transaction.

    A transaction-level lock, because a connection pooler such as PgBouncer may serve two
    transactions of one client by different connections of the server, but never splits one
    (https://www.postgresql.org/docs/current/explicit-locking.html#ADVISORY-LOCKS).
    """
    limits = ("lock_timeout", "idle_in_transaction_session_timeout")
    settings = ", ".join(f"set_config('{name}', '{LOCK_SECONDS}s', true)" for name in limits)
    connection.execute(sqlalchemy.text(f"SELECT {settings}"))
    connection.execute(sqlalchemy.text(f"SELECT pg_advisory_xact_lock({POSTGRESQL_KEY})"))


def _is_alive(connection: sqlalchemy.Connection) -> bool:
    try:
        connection.execute(sqlalchemy.text("SELECT 1"))
    except sqlalchemy.exc.SQLAlchemyError:
        return False
    return True


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:15]
