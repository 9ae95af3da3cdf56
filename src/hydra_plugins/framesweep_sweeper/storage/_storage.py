"""Opening a study's storage so that many processes can write to it at the same time."""

import functools
import logging
from pathlib import Path

import optuna
from optuna.storages import BaseStorage, InMemoryStorage, JournalStorage
from optuna.storages.journal import JournalFileBackend
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from hydra_plugins.framesweep_sweeper._credentials import hide_credentials
from hydra_plugins.framesweep_sweeper._errors import SweepError
from hydra_plugins.framesweep_sweeper.storage._database import (
    SQLITE_SCHEMES,
    describe_error,
    find_file,
    open_database,
)
from hydra_plugins.framesweep_sweeper.storage._retrying_storage import add_retries
from hydra_plugins.framesweep_sweeper.storage._table_storage import DIALECTS, TableStorage

JOURNAL_SUFFIX = ".journal"

# Optuna logs the SQL of each statement that a server did not answer; the retrying storage says
# the same in one line.
logging.getLogger("optuna.storages._rdb.storage").setLevel(logging.ERROR)


def make_absolute(url: str, directory: str | Path) -> str:
    """Return `url` with the relative path of a SQLite or journal file resolved in `directory`.

    Workers run in directories of their own, so a relative path would mean another file there.
    """
    if url.endswith(JOURNAL_SUFFIX) and "://" not in url:
        return str(Path(directory, Path(url).expanduser()).absolute())
    if not url.startswith(SQLITE_SCHEMES):
        return url
    # Read and rendered by SQLAlchemy, which escapes what would end the path: % ? #
    parsed = make_url(url)
    path = Path(directory, Path(parsed.database or "").expanduser()).absolute()
    # Windows has slashes, too, which are not escaped; cmd replaces what is between two `%`.
    return parsed.set(database=path.as_posix()).render_as_string(hide_password=False)


def check_driver(url: str) -> None:
    """Check that SQLAlchemy knows the kind of database and that its driver is installed.

    Raises:
        SweepError: it does not, the driver is missing, or `url` is not a URL.
    """
    if "://" not in url:
        if not url.endswith(JOURNAL_SUFFIX):
            raise SweepError(
                f"hydra.sweeper.storage: must be a database URL, or the path of a "
                f"*{JOURNAL_SUFFIX} file; found {url}. Type sqlite:///{url}"
            )
        return
    try:
        make_url(url).get_dialect().import_dbapi()
    except ArgumentError as error:
        raise SweepError(
            f"hydra.sweeper.storage: must be a database URL that SQLAlchemy knows, or the path "
            f"of a *{JOURNAL_SUFFIX} file; found {hide_credentials(url)} ({error})"
        ) from None
    except ImportError as error:
        package = "psycopg[binary]" if error.name == "psycopg" else error.name
        raise SweepError(
            f"hydra.sweeper.storage: needs the driver {error.name}, which is not installed; "
            f'found {hide_credentials(url)}. Run: pip install "{package}"'
        ) from None


def open_existing(url: str, heartbeat: int) -> BaseStorage:
    """Open the storage at an absolute `url`; one without studies if its file does not exist.

    Raises:
        SweepError: it cannot be opened.
    """
    is_file = "://" not in url or url.startswith(SQLITE_SCHEMES)
    if is_file and not find_file(url).exists():
        return InMemoryStorage()
    return open_storage(url, heartbeat)


def open_storage(url: str, heartbeat: int) -> BaseStorage:
    """Open the storage at an absolute `url`, creating a file that does not exist.

    Args:
        url: a database URL, or the path of a `*.journal` file.
        heartbeat: seconds between the heartbeats of a running trial.

    Raises:
        SweepError: it cannot be opened.
    """
    try:
        if url.endswith(JOURNAL_SUFFIX) and "://" not in url:
            Path(url).parent.mkdir(parents=True, exist_ok=True)
            return JournalStorage(JournalFileBackend(url))
        database = open_database(url, heartbeat)
        cached = (
            TableStorage(database)
            if database.engine.dialect.name in DIALECTS
            else optuna.storages.get_storage(database)
        )
        return add_retries(cached, functools.partial(open_storage, url, heartbeat))
    except Exception as error:
        raise SweepError(
            "hydra.sweeper.storage: must be a storage that can be opened "
            f"({describe_error(error, url)}); "
            f"found {hide_credentials(url)}"
        ) from error
