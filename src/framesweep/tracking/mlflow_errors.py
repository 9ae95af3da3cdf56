"""What errors of MLflow and its files mean: try again, a damaged database, or a full disk."""

import contextlib
import errno
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from framesweep.config.paths import sqlite_path
from framesweep.config.shell_words import join_command
from framesweep.credentials import scrub
from framesweep.errors import FileInUseError, LostRunError, OwnershipLostError, TrackingError

if TYPE_CHECKING:
    from mlflow.exceptions import MlflowException
    from mlflow.tracking import MlflowClient

TEMPORARY_ERROR_CODES = {
    "TEMPORARILY_UNAVAILABLE",
    "INTERNAL_ERROR",
    "REQUEST_LIMIT_EXCEEDED",
    "RESOURCE_EXHAUSTED",
    "DEADLINE_EXCEEDED",
    "ABORTED",
    "CANCELLED",
}
"""Error codes of MLflow after which the same request may succeed."""

DAMAGED_TEXTS = ("not a database", "malformed", "no such table", "no such column", "disk I/O")
"""Texts of SQLite's errors about a file that is damaged, or is no database of MLflow."""

FULL_ERRNOS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
FULL_TEXTS = ("database or disk is full", "disk I/O error")
"""Errors on a full disk or beyond a limit of file sizes: of the system, and texts of SQLite."""


def is_temporary(error: "MlflowException") -> bool:
    """Return whether the same request may succeed later."""
    from sqlalchemy.exc import InterfaceError, TimeoutError

    # MLflow reports a lost connection, and a pool with no free one, as a bad request.
    busy = isinstance(error.__cause__, (InterfaceError, TimeoutError))
    return busy or error.error_code in TEMPORARY_ERROR_CODES


@contextlib.contextmanager
def translate_temporary_errors() -> Iterator[None]:
    """Raise ConnectionError, an OSError, in place of any error that may be over later."""
    import sqlalchemy.exc
    from mlflow.exceptions import MlflowException

    try:
        yield
    except MlflowException as error:
        if is_temporary(error):
            raise ConnectionError(str(error)) from error
        raise
    except (sqlalchemy.exc.OperationalError, FileInUseError) as error:
        raise ConnectionError(str(error)) from error


@contextlib.contextmanager
def translate_damage(uri: str) -> Iterator[None]:
    """Raise TrackingError for a SQLite file that is no intact database of MLflow."""
    import sqlalchemy.exc

    try:
        yield
    except Exception as error:
        path = sqlite_path(uri)
        reason = str(error).strip().split("\n", maxsplit=1)[0]
        kinds = (sqlalchemy.exc.DatabaseError, sqlite3.DatabaseError)
        is_damaged = isinstance(error, kinds) or isinstance(error.__cause__, kinds)
        if path is None or not (is_damaged and any(t in str(error) for t in DAMAGED_TEXTS)):
            raise
        raise TrackingError(
            path,
            f"must be an intact MLflow database ({scrub(reason)})",
            fix="Restore it from a backup, or move it away: new runs create another one.",
        ) from None


def require_run(client: "MlflowClient", uri: str, run_id: str) -> None:
    """Raise LostRunError if tracking does not have the run, or it has been deleted."""
    from mlflow.exceptions import MlflowException

    try:
        run = client.get_run(run_id)
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        raise LostRunError(scrub(uri), f"must have the run {run_id}") from None
    if run.info.lifecycle_stage != "active":
        rule = f"must have the run {run_id}, which has been deleted"
        raise LostRunError(scrub(uri), rule)


def outdated_error(uri: str) -> TrackingError:
    """Return the error for a database whose tables are those of another version of MLflow."""
    command = join_command(["framesweep", "db", "upgrade", "--uri", scrub(uri)])
    fix = f"Run `{command}`, which keeps a backup."
    if sqlite_path(uri) is None:
        fix = f"Back it up, then run `{command} --backed-up`."
    rule = "must have the tables of the installed version of MLflow"
    return TrackingError(scrub(uri), rule, fix=fix)


def describe_opening_error(error: Exception, uri: str, folder: Path) -> Exception:
    """Return what to raise where a run cannot be opened.

    Args:
        error: what the sender got.
        uri: the tracking URI.
        folder: the tracking folder of the run, which names a run to continue.
    """
    if isinstance(error, LostRunError):
        return LostRunError(
            error.where, error.rule, fix=f"To start a new run, delete {folder}."
        )
    # Without memory, MLflow may not even be imported.
    if isinstance(error, TrackingError | OwnershipLostError | ImportError | MemoryError):
        return error
    return TrackingError(scrub(uri), f"must accept the run ({summarize_error(error)})")


def is_disk_full(error: BaseException | None) -> bool:
    """Return whether a file could not be written for lack of space, or beyond a limit."""
    has_errno = isinstance(error, OSError) and error.errno in FULL_ERRNOS
    return has_errno or any(text in str(error) for text in FULL_TEXTS)


def summarize_error(error: BaseException | None) -> str:
    """Return the first line of an error's text, without credentials."""
    return scrub(str(error).strip().split("\n", maxsplit=1)[0])[:300]
