"""One lock a storage, held by one process at a time, on whichever machine it runs."""

import contextlib
import hashlib
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import sqlalchemy
from filelock import FileLock
from optuna.exceptions import StorageInternalError
from sqlalchemy.engine import make_url

from hydra_plugins.framesweep_sweeper.storage._retrying_storage import retry_while_unavailable
from hydra_plugins.framesweep_sweeper.storage._storage import SQLITE_PREFIX

LOCK_SECONDS = 120
POSTGRESQL_KEY = 0x6672616D65737765
"""One number for all: PostgreSQL's advisory locks are of the database they are taken in."""


class StorageLock:
    """A lock that ends with its holder, also when the holder is killed or stalls.

    Files are locked through a file beside them, PostgreSQL and MySQL through their own
    advisory locks; sweepers on another kind of server are kept apart on one machine only.
    """

    def __init__(self, url: str) -> None:
        self._engine: sqlalchemy.Engine | None = None
        parsed = make_url(url) if "://" in url else None
        backend = parsed.get_backend_name() if parsed is not None else "file"
        if parsed is not None and backend in ("postgresql", "mysql", "mariadb"):
            # A connection of its own while it is held, and none in between.
            self._engine = sqlalchemy.create_engine(url, poolclass=sqlalchemy.NullPool)
            self._name = f"framesweep {_digest(parsed.database or '')}"
            return
        if backend in ("file", "sqlite"):
            path = Path(url.removeprefix(SQLITE_PREFIX) + ".claims")
        else:
            path = Path(tempfile.gettempdir(), f"framesweep-{_digest(url)}.lock")
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = FileLock(path, timeout=LOCK_SECONDS)

    @contextlib.contextmanager
    def hold(self) -> Iterator[Callable[[], bool]]:
        """Holds the lock inside; gives a function that tells whether it is held still.

        A server that restarts, or a holder that stalls for LOCK_SECONDS, loses it.
        """
        if self._engine is None:
            with self._file:
                yield lambda: True
            return
        connection = retry_while_unavailable(self._acquire)
        try:
            yield lambda: _is_alive(connection)
        finally:
            # With the connection ends the lock, also if the server has gone away meanwhile.
            connection.invalidate()
            connection.close()

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
        take = sqlalchemy.text("SELECT GET_LOCK(:name, :seconds)")
        taken = connection.scalar(take, {"name": self._name, "seconds": LOCK_SECONDS})
        if taken != 1:
            raise StorageInternalError("the study's lock is held by another sweeper")


def _acquire_postgresql(connection: sqlalchemy.Connection) -> None:
    """Takes the lock for a transaction, which a pooler between here and there keeps whole."""
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
