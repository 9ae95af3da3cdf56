"""Records on their way to the tracking server, kept on disk until they have arrived."""

import contextlib
import json
import logging
import threading
from collections import deque
from pathlib import Path
from typing import Any

log = logging.getLogger(__name__)
OutboxRecord = dict[str, Any]

OUTBOX_FILE = "outbox.jsonl"
"""Of an outbox, in a run's tracking folder."""


class Outbox:
    """An ordered queue of JSON records, each on disk before `append` returns.

    A record leaves when it has arrived; one that had arrived when its process was killed may
    be taken out again, so whoever sends must be able to send the same record twice. Records
    that a former process left behind come first, marked `again`.

    Args:
        path: file of one record a line; empty while nothing waits.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("ab", buffering=0)
        records, self._size = _read(path)
        self._file.truncate(self._size)  # a line torn by a crash would spoil the next one
        self._records = deque({**record, "again": True} for record in records)
        self._changed = threading.Condition()
        self._closed = False
        self.path = path

    def __len__(self) -> int:
        return len(self._records)

    def last(self, kind: str) -> OutboxRecord | None:
        """The last waiting record of this kind."""
        with self._changed:
            return next((r for r in reversed(self._records) if r["kind"] == kind), None)

    def append(self, record: OutboxRecord) -> None:
        """Puts `record` last; a disk that is full costs durability, never the caller."""
        line = json.dumps(record).encode() + b"\n"
        with self._changed:
            self._write(line)
            self._records.append(record)
            self._changed.notify_all()

    def first(self) -> OutboxRecord | None:
        """The first record, waited for; None once the box is closed and empty."""
        with self._changed:
            self._changed.wait_for(lambda: self._records or self._closed)
            return self._records[0] if self._records else None

    def remove_first(self) -> None:
        """Forgets the first record: it has arrived."""
        with self._changed:
            self._records.popleft()
            if not self._records:
                self._size = self._file.truncate(0)
            self._changed.notify_all()

    def close(self) -> None:
        """Says that no more records come."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def wait_closed(self) -> None:
        """Waits until no more records come."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed)

    def release(self) -> None:
        """Lets go of the file: nothing is taken out any more."""
        with self._changed:
            self._file.close()

    def _write(self, line: bytes) -> None:
        try:
            if self._file.write(line) != len(line):
                raise OSError("the disk is full")
            self._size += len(line)
        except OSError as error:
            with contextlib.suppress(OSError):
                self._file.truncate(self._size)
            log.warning("%s: cannot be written, kept in memory (%s)", self.path, error)


def _read(path: Path) -> tuple[list[OutboxRecord], int]:
    """The whole records of a file and the bytes they take."""
    records: list[OutboxRecord] = []
    size = 0
    for line in path.read_bytes().splitlines(keepends=True):
        try:
            records.append(json.loads(line))
        except ValueError:
            break
        size += len(line)
    return records, size
