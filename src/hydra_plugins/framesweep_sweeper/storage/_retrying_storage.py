"""A storage that waits while its database is unreachable or locked, instead of failing.

A sweep lasts for hours or days; a database server that restarts meanwhile, or a SQLite file
that another process holds for a moment, must not end it.
"""

import logging
import math
import sqlite3
import time
from collections.abc import Callable
from typing import Any

from optuna.exceptions import StorageInternalError
from optuna.storages import BaseStorage
from sqlalchemy.exc import InterfaceError, OperationalError
from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception_type,
    stop_before_delay,
    wait_exponential,
)

log = logging.getLogger(__name__)

FIRST_PAUSE, LONGEST_PAUSE = 0.1, 5.0
"""Seconds before the second attempt, doubled after each further one up to the longest."""

GIVE_UP_SECONDS = 180.0
"""Seconds after which the error is raised."""


class StudyLockedError(StorageInternalError):
    """Another process holds the lock of the study, and has not given it up."""


TRANSIENT_ERRORS = (StorageInternalError, OperationalError, InterfaceError)
"""What Optuna and SQLAlchemy raise for a lost connection, a restarting server or a lock."""

# Of the process rather than of one storage: whichever connection notices that the server is
# away, no other process can have written a heartbeat in that time either.
_last_outage = -math.inf


def seconds_since_outage() -> float:
    """Return the seconds since this process last failed to reach a database."""
    return time.monotonic() - _last_outage


def retry_while_unavailable(call: Callable[[], Any]) -> Any:
    """Return the result of `call`, which is repeated while the database cannot be reached.

    Raises:
        StorageInternalError, OperationalError, InterfaceError: the database stayed away for
            `GIVE_UP_SECONDS`.
    """
    return _RETRYING(call)


def describe_outage(error: BaseException) -> str:
    """Return why a call failed for `GIVE_UP_SECONDS`, in a few words.

    SQLAlchemy's own texts quote statements and their values; those of SQLite say what happened,
    as that the disk is full.
    """
    cause = error.__cause__ or error
    # A process that is suspended keeps its locks.
    if isinstance(error, StudyLockedError) or "database is locked" in str(cause):
        return "another process, which may be suspended, has locked the study"
    original = getattr(cause, "orig", None)
    reason = f": {original}" if isinstance(original, sqlite3.Error) else ""
    return f"{type(cause).__name__}{reason}"


def _note_outage(state: RetryCallState) -> None:
    global _last_outage  # noqa: PLW0603
    _last_outage = time.monotonic()


def _log_first_failure(state: RetryCallState) -> None:
    error = None if state.outcome is None else state.outcome.exception()
    if state.attempt_number == 1 and error is not None:
        reason = describe_outage(error)
        log.warning("the study's storage cannot be reached; retrying (%s)", reason)


# One object for all calls and threads: tenacity keeps the state of a call thread-local, and
# building the object would cost more than most calls of a storage.
_RETRYING = Retrying(
    retry=retry_if_exception_type(TRANSIENT_ERRORS),
    wait=wait_exponential(multiplier=FIRST_PAUSE, max=LONGEST_PAUSE),
    stop=stop_before_delay(GIVE_UP_SECONDS),
    after=_note_outage,
    before_sleep=_log_first_failure,
    reraise=True,
)


def _make_retrying_method(name: str) -> Callable[..., Any]:
    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        return retry_while_unavailable(lambda: getattr(self.inner, name)(*args, **kwargs))

    return method


def _list_public_methods() -> list[str]:
    return [
        name
        for name, value in vars(BaseStorage).items()
        if callable(value) and not name.startswith("_")
    ]


class RetryingStorage(BaseStorage):
    """A storage that calls another one and repeats each call while its database is away.

    If the server commits a write but its answer is lost, the write is repeated. That does no
    harm: setting a value twice leaves it as it is, and a trial that was created twice is taken
    over like any trial whose sweeper died before claiming it.

    Args:
        inner: the storage that is called.
        reopen: opens such a storage again, in a process that receives this one; without it, a
            copy of `inner` is sent there.
    """

    def __init__(
        self, inner: BaseStorage, reopen: Callable[[], BaseStorage] | None = None
    ) -> None:
        self.inner = inner
        self._reopen = reopen

    def __reduce__(self) -> tuple[Any, ...]:
        if self._reopen is not None:
            return self._reopen, ()
        return type(self), (self.inner,)


# Made from BaseStorage's own list of methods: a method that a later Optuna adds is retried too.
for _name in _list_public_methods():
    setattr(RetryingStorage, _name, _make_retrying_method(_name))
RetryingStorage.__abstractmethods__ = frozenset()


def add_retries(
    inner: BaseStorage, reopen: Callable[[], BaseStorage] | None = None
) -> BaseStorage:
    """Return a storage that calls `inner` and repeats each call while the database is away."""
    build: Any = RetryingStorage
    storage: BaseStorage = build(inner, reopen)
    return storage
