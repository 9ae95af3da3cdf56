"""Waiting for the lock of a file, for a bounded time and not in silence."""

import logging
from contextlib import AbstractContextManager

from filelock import FileLock, Timeout

log = logging.getLogger(__name__)

PATIENCE_SECONDS = 10.0
"""Seconds of waiting after which a line says what is waited for."""

GIVE_UP_SECONDS = 180.0
"""Seconds of waiting after which it is given up."""


def acquire_patiently(lock: FileLock) -> AbstractContextManager[object]:
    """Acquire the lock of a file, which the operating system releases when its holder ends.

    A holder that is suspended keeps it, so that waiting must end.

    Returns:
        A context that releases the lock.

    Raises:
        Timeout: another process has held it for `GIVE_UP_SECONDS`.
    """
    try:
        return lock.acquire(timeout=PATIENCE_SECONDS)
    except Timeout:
        log.warning(
            "%s: waiting for another process, which has locked this file", lock.lock_file
        )
    return lock.acquire(timeout=GIVE_UP_SECONDS - PATIENCE_SECONDS)
