"""One owner per run directory, on whichever machine and file system.

Two processes that train in one directory would overwrite each other's checkpoints and log every
epoch twice. The owner of a directory is therefore named in a file, `.owner`, with its process,
machine and start, and a random token. This works on file systems of one machine and on those
of networks alike, because all it needs is that a file is renamed atomically.

An owner is replaced if it has ended (its process can be looked up on this machine), if it has
not touched the file for `STALE_SECONDS` (it was on another machine, or in another container),
or if the new owner has a later claim to a trial. The replaced process may not have ended: it
may be suspended, in a laptop or a frozen virtual machine, and wake up at any time. The token is
therefore a fencing token (Kleppmann, 2016,
https://martin.kleppmann.com/2016/02/08/how-to-do-distributed-locking.html): before each file of
the directory is replaced, `fence` compares it with the owner's. The comparison and the renaming
are done under a second lock, `.owner.lock`, which a successor must hold as well to replace the
owner. No file can therefore be replaced after the directory has changed hands. The second lock
is that of the operating system, which releases it when its holder ends in any way. Where the
file system has no locks, what remains is the time between the comparison and the renaming.
"""

import contextlib
import json
import os
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from filelock import FileLock, Timeout

from framesweep.errors import DirectoryInUseError, FramesweepError, OwnershipLostError
from framesweep.system.locks.owner import OWNER_FILE, Owner
from hydra_plugins.framesweep_sweeper import Process

GUARD_FILE = ".owner.lock"

TOUCH_SECONDS = 15.0
"""Seconds between two signs of life of an owner."""

LAST_CLAIM = sys.maxsize
"""A claim that no other one follows: that of a sweeper to a trial that will not run again."""

GUARD_SECONDS = 30.0
"""Seconds to wait for the lock under which files are renamed, which takes milliseconds."""


class Ownership:
    """The ownership of a directory, from its creation to `release`; `own` creates it."""

    def __init__(self, directory: Path, claim: int) -> None:
        self.directory = directory.resolve()
        self._owner = Owner(uuid.uuid4().hex, Process.current(), time.time(), claim)
        self._guard = FileLock(self.directory / GUARD_FILE, timeout=GUARD_SECONDS)
        self._ended = threading.Event()
        self._acquire()
        self._thread = threading.Thread(target=self._touch, name="owner", daemon=True)
        self._thread.start()

    def is_current(self) -> bool:
        """Return whether this process still owns the directory, as far as can be seen."""
        try:
            self.require_current()
        except OwnershipLostError:
            return False
        except OSError:
            pass  # nothing shows that the owner has changed
        return True

    def require_current(self) -> None:
        """Check that this process still owns the directory.

        Raises:
            OwnershipLostError: another process owns it, or has owned it since.
            OSError: the owner cannot be read.
        """
        owner = Owner.read(self.directory)
        if owner is None or owner.token != self._owner.token:
            what = f"taken over by {owner}" if owner is not None else "removed, or taken over"
            raise OwnershipLostError(f"{self.directory} was {what}; stopped")

    @contextlib.contextmanager
    def fence(self) -> Iterator[None]:
        """Keep the ownership from changing within the context.

        Raises:
            OwnershipLostError: another process owns the directory now.
        """
        with self._hold_guard():
            self.require_current()
            yield

    def release(self) -> None:
        """Give the directory up, unless it belongs to another process now."""
        self._ended.set()
        with contextlib.suppress(OSError, FramesweepError), self.fence():
            (self.directory / OWNER_FILE).unlink()

    def _acquire(self) -> None:
        path = self.directory / OWNER_FILE
        temporary = path.with_name(f"{OWNER_FILE}.{self._owner.token}.tmp")
        try:
            temporary.write_text(json.dumps(asdict(self._owner)), encoding="utf-8")
            with self._hold_guard():
                self._require_free()
                temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)

    def _require_free(self) -> None:
        owner = Owner.read(self.directory)
        if owner is None or self._owner.claim > owner.claim or owner.has_ended(self.directory):
            return
        # A scheduler starts a job that it requeues under the claim that the job had.
        if not 0 < self._owner.claim == owner.claim:
            raise DirectoryInUseError(self.directory, f"is being trained by {owner}")

    @contextlib.contextmanager
    def _hold_guard(self) -> Iterator[None]:
        try:
            self._guard.acquire()
        except Timeout:
            # Its holder was suspended within the milliseconds in which it replaces a file.
            owner = Owner.read(self.directory)
            rule = f"is being written by {owner}, which does not respond"
            fix = "Continue or end that process."
            raise DirectoryInUseError(self.directory, rule, fix=fix) from None
        except NotImplementedError:
            # A file system without locks; the token alone must do.
            yield
            return
        try:
            yield
        finally:
            self._guard.release()

    def _touch(self) -> None:
        while not self._ended.wait(TOUCH_SECONDS):
            with contextlib.suppress(OSError):
                if self.is_current():
                    os.utime(self.directory / OWNER_FILE)


_owned: dict[Path, Ownership] = {}
"""The directories that this process owns. A process has each of them once, however many of its
parts need it, so this is a property of the process like a file lock."""


@contextlib.contextmanager
def own(directory: Path, claim: int = 0) -> Iterator[Ownership]:
    """Own a directory, which is created if necessary, within the context.

    Where this process owns it already, the owner remains the same, and so does its end. If
    another process has taken the directory over since, this one must not own it again before
    that end, even where its successor has finished: it would resume a run that has ended.

    Args:
        claim: the number of the claim under which a trial is run; a later one is preferred.

    Raises:
        DirectoryInUseError: another process owns the directory.
        OwnershipLostError: another process took the directory over from this one.
    """
    is_new = not directory.exists()
    directory.mkdir(parents=True, exist_ok=True)
    is_empty = not any(directory.iterdir())
    known = _owned.get(directory.resolve())
    if known is not None:
        with contextlib.suppress(OSError):  # nothing shows that the owner has changed
            known.require_current()
        yield known
        return
    ownership = Ownership(directory, claim)
    _owned[ownership.directory] = ownership
    try:
        yield ownership
    finally:
        if _owned.get(ownership.directory) is ownership:
            del _owned[ownership.directory]
        ownership.release()
        if is_empty and [path.name for path in directory.iterdir()] == [GUARD_FILE]:
            # A run that was rejected leaves nothing behind.
            (directory / GUARD_FILE).unlink()
            if is_new:
                directory.rmdir()


@contextlib.contextmanager
def fence(path: Path) -> Iterator[None]:
    """Keep the owner of the directory that `path` is in, if this process ever owned it.

    Raises:
        OwnershipLostError: this process owned the directory, and another one does now.
    """
    for folder in path.resolve().parents if _owned else ():
        if (ownership := _owned.get(folder)) is not None:
            with ownership.fence():
                yield
            return
    yield
