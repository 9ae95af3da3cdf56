"""Locks of files between processes, which wait for a bounded time."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from framesweep.errors import FileInUseError
from hydra_plugins.framesweep_sweeper._file_lock import GIVE_UP_SECONDS, acquire_patiently


@contextlib.contextmanager
def hold_file_lock(path: Path) -> Iterator[None]:
    """Hold the lock of a file; see `acquire_patiently`.

    Raises:
        FileInUseError: another process has held the lock for `GIVE_UP_SECONDS`.
    """
    try:
        held = acquire_patiently(FileLock(path))
    except Timeout:
        rule = f"has been locked by another process for {GIVE_UP_SECONDS:.0f} s"
        fix = "Continue that process if it is suspended, or end it, and run the command again."
        raise FileInUseError(path, rule, fix=fix) from None
    with held:
        yield
