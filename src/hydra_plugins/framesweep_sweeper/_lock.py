"""One lock a storage, held by one process at a time, on whichever machine it runs."""

import contextlib
import hashlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

import sqlalchemy
from filelock import FileLock
from sqlalchemy.engine import make_url

from hydra_plugins.framesweep_sweeper._patience import patiently
from hydra_plugins.framesweep_sweeper._storage import SQLITE_PREFIX

LOCK_SECONDS = 120


class StorageLock:
    """A lock that ends with its holder, also when the holder is killed.

    Files are locked through a file beside them, PostgreSQL and MySQL through their own
    advisory locks; sweepers on another kind of server are kept apart on one machine only.
    """

    def __init__(self, url: str) -> None:
        self._engine: sqlalchemy.Engine | None = None
        self._key = hashlib.sha256(url.encode()).hexdigest()[:15]
        backend = make_url(url).get_backend_name() if "://" in url else "file"
        if backend in ("postgresql", "mysql", "mariadb"):
            self._engine = sqlalchemy.create_engine(url, pool_pre_ping=True)
            return
        if backend in ("file", "sqlite"):
            path = Path(url.removeprefix(SQLITE_PREFIX) + ".claims")
        else:
            path = Path(tempfile.gettempdir(), f"framesweep-{self._key}.lock")
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = FileLock(path, timeout=LOCK_SECONDS)

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        if self._engine is None:
            with self._file:
                yield
            return
        connection = patiently(self._take)
        try:
            yield
        finally:
            # With the connection ends the lock, also if the server has gone away meanwhile.
            connection.invalidate()
            connection.close()

    def _take(self) -> sqlalchemy.Connection:
        assert self._engine is not None
        if self._engine.dialect.name == "postgresql":
            take = f"SELECT pg_advisory_lock({int(self._key, 16)})"
        else:
            take = f"SELECT GET_LOCK('{self._key}', {LOCK_SECONDS})"
        connection = self._engine.connect()
        try:
            connection.execute(sqlalchemy.text(take))
        except BaseException:
            connection.close()
            raise
        return connection
