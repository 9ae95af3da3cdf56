"""A storage that waits while its database is away or locked, instead of failing."""

import logging
import math
import time
from collections.abc import Callable
from typing import Any, cast

from optuna.exceptions import StorageInternalError
from optuna.storages import BaseStorage
from sqlalchemy.exc import InterfaceError, OperationalError

log = logging.getLogger(__name__)

FIRST_PAUSE, LONGEST_PAUSE = 0.1, 5.0
"""Seconds before the second attempt, doubled after each up to the longest."""

GIVE_UP_SECONDS = 180.0
"""Seconds after which an error is let through."""

TRANSIENT_ERRORS = (StorageInternalError, OperationalError, InterfaceError)


_last_outage = -math.inf


def seconds_since_outage() -> float:
    """Since this process last met a database that did not answer."""
    return time.monotonic() - _last_outage


def retry_while_unavailable(call: Callable[[], Any]) -> Any:
    """The result of `call`, tried again while the database cannot be reached."""
    global _last_outage  # noqa: PLW0603
    end, pause = time.monotonic() + GIVE_UP_SECONDS, FIRST_PAUSE
    while True:
        try:
            return call()
        except TRANSIENT_ERRORS as error:
            _last_outage = time.monotonic()
            if time.monotonic() + pause > end:
                raise
            if pause == FIRST_PAUSE:
                log.warning("the study's storage is away; waiting (%s)", type(error).__name__)
            time.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)


def _make_retrying_method(name: str) -> Callable[..., Any]:
    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        return retry_while_unavailable(lambda: getattr(self.inner, name)(*args, **kwargs))

    return method


def _public_methods() -> list[str]:
    return [
        name
        for name, value in vars(BaseStorage).items()
        if callable(value) and not name.startswith("_")
    ]


_RetryingStorage = type(
    "RetryingStorage",
    (BaseStorage,),
    {name: _make_retrying_method(name) for name in _public_methods()},
)


def add_retries(inner: BaseStorage) -> BaseStorage:
    """`inner`, of which each method is tried again while the database is away.

    What was written although the answer was lost may be written twice: values stay as they
    are, and a trial created twice is taken up like any that nobody has claimed.
    """
    storage = cast(Any, _RetryingStorage)()
    storage.inner = inner
    return cast(BaseStorage, storage)
