"""The queue of records that have not reached the tracking server yet, kept on disk.

Invariant: the file consists of complete lines, one JSON record each, in the order in which the
run logged them, followed by at most one torn line that the crash of a process left behind. It
is emptied only when every record in it has been sent.

A record is written to the file before anything tries to send it, and it stays there until the
queue is empty, so a process that is killed (`kill -9`) loses nothing that it has logged. The
price is that a record may be sent twice, after a restart or when a server's answer got lost:
delivery is at least once, and `MlflowWriter` makes a second delivery have no effect. This is
the pattern of the transactional outbox:
https://microservices.io/patterns/data/transactional-outbox.html

Records are handed to the operating system but not forced to the disk. A crash of the whole
machine can therefore lose the last seconds; an fsync per record would make every epoch wait for
the disk. The run itself does not depend on these records: its metrics are in its checkpoint,
and a run that is resumed logs them again.
"""

import contextlib
import json
import logging
import threading
from collections import deque
from pathlib import Path
from typing import Any

log = logging.getLogger(__name__)

OutboxRecord = dict[str, Any]
"""A JSON object with a `kind`, which says what it does to the run, and the kind's fields."""

OUTBOX_FILE = "outbox.jsonl"
"""Name of an outbox's file in the tracking folder of a run."""


class Outbox:
    """An ordered queue of records, each of which is in a file before `append` returns.

    One thread appends and another sends; every method may be called from either. Records that
    an earlier process left in the file come first and are marked `again`: the earlier process
    may have sent them before it ended.

    Args:
        path: file with one record per line; it is empty while no record waits.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Unbuffered, so that a line is with the operating system when `write` returns.
        self._file = path.open("ab", buffering=0)
        records, self._size = _read_records(path)
        # Appending to a torn line would make the next record unreadable as well.
        self._file.truncate(self._size)
        self._records = deque({**record, "again": True} for record in records)
        self._changed = threading.Condition()
        self._closed = False
        self.path = path

    def __len__(self) -> int:
        return len(self._records)

    def last(self, kind: str) -> OutboxRecord | None:
        """Return the last waiting record of this kind, or None."""
        with self._changed:
            return next((r for r in reversed(self._records) if r["kind"] == kind), None)

    def append(self, record: OutboxRecord) -> None:
        """Add `record` to the end of the queue.

        If the disk is full, the record is kept in memory only: it is still sent, but would be
        lost in a crash.
        """
        line = json.dumps(record).encode() + b"\n"
        with self._changed:
            self._write(line)
            self._records.append(record)
            self._changed.notify_all()

    def first(self) -> OutboxRecord | None:
        """Wait for a record and return the first; return None once closed and empty.

        The record stays in the queue until `remove_first`, so that it is not lost if the
        process ends while the record is being sent.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._records or self._closed)
            return self._records[0] if self._records else None

    def remove_first(self) -> None:
        """Remove the first record, which has been sent."""
        with self._changed:
            self._records.popleft()
            # The file is cut only when all of it has been sent. Cutting one line off its front
            # would mean rewriting the rest, and a crash in between could lose that rest.
            if not self._records:
                self._size = self._file.truncate(0)
            self._changed.notify_all()

    def close(self) -> None:
        """Declare that no more records will be appended."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def wait_closed(self) -> None:
        """Wait until `close` has been called."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed)

    def release(self) -> None:
        """Close the file; what is left in it waits for the next process."""
        with self._changed:
            self._file.close()

    def _write(self, line: bytes) -> None:
        try:
            # A nearly full disk takes the beginning of a line without raising an error.
            if self._file.write(line) != len(line):
                raise OSError("the disk is full")
            self._size += len(line)
        except OSError as error:
            with contextlib.suppress(OSError):
                self._file.truncate(self._size)
            log.warning(
                "%s: cannot be written; the record is kept in memory (%s)", self.path, error
            )


def _read_records(path: Path) -> tuple[list[OutboxRecord], int]:
    """Return the complete records of a file and the number of bytes that they occupy.

    A line that is not JSON is the torn end of a write that a crash interrupted. Lines are
    written in order, so nothing valid can follow it, and reading stops there.
    """
    records: list[OutboxRecord] = []
    size = 0
    for line in path.read_bytes().splitlines(keepends=True):
        try:
            records.append(json.loads(line))
        except ValueError:
            break
        size += len(line)
    return records, size
