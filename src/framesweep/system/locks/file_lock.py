"""Locks of files between processes, which wait for a bounded time."""

import contextlib
import logging
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from framesweep.errors import FileInUseError

log = logging.getLogger(__name__)

PATIENCE_SECONDS = 10.0
"""Seconds of waiting after which a line says what is waited for."""

GIVE_UP_SECONDS = 180.0
"""Seconds of waiting after which an error says so."""


@contextlib.contextmanager
def hold_file_lock(path: Path) -> Iterator[None]:
    """Hold the lock of a file, which the operating system releases when its holder ends.

    A holder that is suspended keeps it, so that waiting must end.

    Raises:
        FileInUseError: another process has held the lock for `GIVE_UP_SECONDS`.
    """
    lock = FileLock(path)
    _acquire(lock, path)
    try:
        yield
    finally:
        lock.release()


def _acquire(lock: FileLock, path: Path) -> None:
    try:
        lock.acquire(timeout=PATIENCE_SECONDS)
        return
    except Timeout:
        log.warning("%s: waiting for another process, which has locked this file", path)
    try:
        lock.acquire(timeout=GIVE_UP_SECONDS - PATIENCE_SECONDS)
    except Timeout:
        rule = f"has been locked by another process for {GIVE_UP_SECONDS:.0f} s"
        fix = "Continue that process if it is suspended, or end it, and run the command again."
        raise FileInUseError(path, rule, fix=fix) from None
