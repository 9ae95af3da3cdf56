"""Upgrades the tables of MLflow's database to those of the installed MLflow, after a backup.

MLflow changes its tables between versions. It refuses a database with tables of another form,
but adds tables that are missing without asking: processes that start together then upgrade the
same database at the same moment, and none keeps a backup. A database of an earlier MLflow is
therefore refused before MLflow opens it.
"""

import contextlib
import sqlite3
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from framesweep.config.paths import sqlite_path, sqlite_url
from framesweep.credentials import scrub
from framesweep.errors import ConfigError, TrackingError
from framesweep.system.atomic_files import atomic_file
from framesweep.system.locks.file_lock import hold_file_lock
from framesweep.tracking.mlflow_errors import translate_damage
from framesweep.tracking.mlflow_store import is_server

if TYPE_CHECKING:
    from sqlalchemy import Engine

LOCK_KEY = 0x6672_616D_6573
"""Number of the lock that PostgreSQL holds during an upgrade; no other program may use it."""


class Upgrade(NamedTuple):
    """What an upgrade did.

    Attributes:
        before: The revision of the tables that was found.
        after: The revision of the installed MLflow, which may be the same.
        backup: The copy of the database before the upgrade; None if there is none.
    """

    before: str
    after: str
    backup: Path | None


def upgrade_database(uri: str, outputs: Path, *, backed_up: bool = False) -> Upgrade:
    """Bring the tables of a database to the revision of the installed MLflow.

    A SQLite file is copied first, and restored if the upgrade fails. Of several processes that
    upgrade the same database, one does, and the others find it upgraded.

    Args:
        uri: The absolute tracking URI, as `resolve_tracking_uri` returns it.
        outputs: The folder with the lock of a database that is not a file.
        backed_up: Whether the user has backed up a database that is not a file.

    Raises:
        ConfigError: The URI is that of a server, or of a database that was not backed up.
        TrackingError: There is no database, it is damaged or of a later version of MLflow, or
            its upgrade failed.
    """
    if is_server(uri):
        rule = "must be a database, because a server's tables are upgraded where it runs"
        fix = "Run `mlflow db upgrade` there, after a backup."
        raise ConfigError("--uri", rule, found=scrub(uri), fix=fix)
    path = sqlite_path(uri)
    if path is None and not backed_up:
        rule = "must be backed up before its tables are changed"
        raise ConfigError("--uri", rule, found=scrub(uri), fix="Then add --backed-up.")
    if path is not None and not path.is_file():
        fix = "Give the database by --uri, or the folder that contains mlflow.db by --outputs."
        raise TrackingError(path, "must be an existing database", fix=fix)
    with translate_damage(uri), _locked(uri, path, outputs) as engine:
        return _upgrade(engine, path)


@contextlib.contextmanager
def _locked(uri: str, path: Path | None, outputs: Path) -> Iterator["Engine"]:
    """Yield an engine for the database while no other process upgrades or creates it."""
    import sqlalchemy

    engine = sqlalchemy.create_engine(uri if path is None else sqlite_url(path))
    folder, name = (outputs, "mlflow-upgrade") if path is None else (path.parent, path.name)
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with hold_file_lock(folder / f".{name}.lock"), engine.connect() as connection:
            if engine.dialect.name == "postgresql":
                # The processes of another machine do not see the lock's file.
                lock = sqlalchemy.text("SELECT pg_advisory_lock(:key)")
                connection.execute(lock, {"key": LOCK_KEY})
            else:
                connection.close()
            yield engine
    finally:
        engine.dispose()


def _upgrade(engine: "Engine", path: Path | None) -> Upgrade:
    from mlflow.store.db import utils

    migrations: Any = utils
    before: str | None = migrations._get_schema_version(engine)
    after: str = migrations._get_latest_schema_revision()
    if before is None:
        raise TrackingError(path or scrub(str(engine.url)), "must contain MLflow's tables")
    if before == after:
        return Upgrade(before, after, None)
    _require_known(engine, path, before)
    backup = None if path is None else _back_up(path, before)
    try:
        migrations._upgrade_db(engine)
    except Exception as error:
        engine.dispose()
        if path is not None and backup is not None:
            _copy(backup, path)
        kept = "Its contents are as before" if backup else "Restore it from the backup"
        reason = str(error).strip().split("\n", maxsplit=1)[0]
        raise TrackingError(
            path or scrub(str(engine.url)),
            f"must be an MLflow database that can be upgraded ({scrub(reason)})",
            fix=f"{kept}; install the version of MLflow that created it.",
        ) from None
    return Upgrade(before, after, backup)


def _require_known(engine: "Engine", path: Path | None, revision: str) -> None:
    """Raise TrackingError if the installed MLflow does not know the revision of the tables."""
    from alembic.script import ScriptDirectory
    from alembic.util import CommandError
    from mlflow.store.db import utils

    migrations: Any = utils
    scripts = ScriptDirectory.from_config(migrations._get_alembic_config(db_url=""))
    try:
        scripts.get_revision(revision)
    except CommandError:
        raise TrackingError(
            path or scrub(str(engine.url)),
            "must not be of a later version of MLflow than the installed one",
            found=revision,
            fix="Install that version.",
        ) from None


def _back_up(path: Path, revision: str) -> Path:
    """Copy a SQLite file as it is at this moment, whoever else has it open."""
    time = datetime.now().strftime("%Y%m%d-%H%M%S-%f")
    backup = path.with_name(f"{path.stem}-{revision}-{time}.db")
    with atomic_file(backup) as temporary:
        _copy(path, temporary)
    return backup


def _copy(source: Path, target: Path) -> None:
    with (
        contextlib.closing(sqlite3.connect(source)) as reader,
        contextlib.closing(sqlite3.connect(target)) as writer,
    ):
        reader.backup(writer)
