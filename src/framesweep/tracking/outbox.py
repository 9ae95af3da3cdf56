"""The queue of records that have not reached the tracking server yet, kept on disk.

Invariant: the file consists of complete lines, one record each, in the order in which the run
logged them, followed by at most one torn line that the crash of a process left behind. It is
emptied only when every record in it has been sent. A line that a disk or a copy has damaged is
moved to `refused.jsonl`; the lines before and after it are sent.

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
import errno
import json
import logging
import threading
import time
import uuid
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from framesweep.catalog.database import RUN_DIRECTORY_TAG
from framesweep.system.atomic_files import atomic_file
from framesweep.tracking.records import OutboxRecord, decode_record, encode_record, find_records

log = logging.getLogger(__name__)

OUTBOX_FILE = "outbox.jsonl"
"""Name of an outbox's file in the tracking folder of a run."""

OPENING_KINDS = ("start", "resume")
"""Kinds of the records that decide which run the records after them belong to."""

REFUSED_FILE = "refused.jsonl"
"""Name of the file next to the outbox that receives the records that cannot be sent: those that
tracking refused, and those that are damaged."""


class Outbox:
    """An ordered queue of records, each of which is in a file before `append` returns.

    One thread appends and another sends; every method may be called from either. Records that
    an earlier process left in the file come first and are marked `again`: the earlier process
    may have sent them before it ended.

    Args:
        path: file with one record per line; it is empty while no record waits.

    Attributes:
        num_damaged: number of lines that were damaged and have been moved to `refused.jsonl`.

    Raises:
        OSError: the file cannot be read or written.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        content = _read_lines(path)
        # The file is written anew, under another name first, and never changed in place: a
        # process that was suspended, and whose run was taken over, may still have the earlier
        # file open, and must neither append to the new one nor empty it.
        with atomic_file(path) as temporary:
            temporary.write_bytes(b"".join(content.lines))
        # Unbuffered, so that a line is with the operating system when `write` returns.
        self._file = path.open("ab", buffering=0)
        self._size = sum(map(len, content.lines))
        self._records = deque({**record, "again": True} for record in content.records)
        self.num_damaged = len(content.damaged)
        self._changed = threading.Condition()
        self._closed = False
        self.path = path

    def __len__(self) -> int:
        return len(self._records)

    def last(self, kind: str) -> OutboxRecord | None:
        """Return the last waiting record of this kind, or None."""
        with self._changed:
            return next((r for r in reversed(self._records) if r["kind"] == kind), None)

    @property
    def lacks_start(self) -> bool:
        """Whether records wait but none of them opens their run; its line may be damaged."""
        with self._changed:
            return bool(self._records) and self._records[0]["kind"] not in OPENING_KINDS

    def insert_first(self, record: OutboxRecord) -> None:
        """Put `record` before all others. No sender may have been started yet.

        Raises:
            OSError: the file cannot be written.
        """
        with self._changed:
            with atomic_file(self.path) as temporary:
                temporary.write_bytes(encode_record(record) + self.path.read_bytes())
            self._file.close()
            self._file = self.path.open("ab", buffering=0)
            self._size = self.path.stat().st_size
            self._records.appendleft(record)

    def append(self, record: OutboxRecord) -> None:
        """Add `record` to the end of the queue.

        If the disk is full, the record is kept in memory only, and would be lost in a crash.

        Raises:
            OSError: a `start` cannot be written. Later processes could not find its run.
        """
        line = encode_record(record)
        with self._changed:
            self._write(line, is_required=record["kind"] == "start")
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

    def clear(self) -> None:
        """Remove all records, none of which shall be sent any more."""
        with self._changed:
            self._records.clear()
            self._size = self._file.truncate(0)

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

    def _write(self, line: bytes, *, is_required: bool) -> None:
        try:
            # A nearly full disk takes the beginning of a line without raising an error.
            if self._file.write(line) != len(line):
                raise OSError(errno.ENOSPC, "No space left on device")
            self._size += len(line)
        except OSError as error:
            with contextlib.suppress(OSError):
                self._file.truncate(self._size)
            if is_required:
                raise OSError(error.errno, error.strerror, str(self.path)) from None
            text = "%s: cannot be written; the record is kept in memory (%s)"
            log.warning(text, self.path, error)


def replace_start(outbox: Outbox, directory: Path, destination: Mapping[str, str]) -> None:
    """Open a new run for waiting records whose own start record is damaged.

    The run gets a name from MLflow; its own name and tags were in the damaged record.
    """
    key = uuid.uuid4().hex
    tags = {RUN_DIRECTORY_TAG: str(directory.absolute()), "framesweep.key": key}
    fields = {"key": key, "name": None, "tags": tags, "time": int(time.time() * 1000)}
    outbox.insert_first({"kind": "start", **fields, **destination})


def put_aside(outbox: Path, reason: str, content: OutboxRecord) -> Path:
    """Append what cannot be sent to the `refused.jsonl` next to an outbox; return its path.

    Raises:
        OSError: the file cannot be written.
    """
    path = outbox.with_name(REFUSED_FILE)
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps({"reason": reason, **content}) + "\n")
    return path


@dataclass
class _Content:
    """What an outbox's file contains: records with their lines, and damaged lines."""

    records: list[OutboxRecord] = field(default_factory=list)
    lines: list[bytes] = field(default_factory=list)
    damaged: list[bytes] = field(default_factory=list)

    def add(self, record: OutboxRecord, line: bytes) -> None:
        self.records.append(record)
        self.lines.append(line)


def _read_lines(path: Path) -> _Content:
    """Read the file, and move its damaged lines to `refused.jsonl`.

    What follows the last newline is the torn end of a write that a crash interrupted, unless it
    is a complete record that lacks nothing but its newline. It was not logged yet when the
    process died, and is dropped.
    """
    content = _Content()
    if not path.exists():
        return content
    *whole, torn = path.read_bytes().split(b"\n")
    for number, line in enumerate([*whole, torn], start=1):
        try:
            content.add(decode_record(line), line + b"\n")
        except ValueError as error:
            found = find_records(line)
            for record in found:
                content.add(record, encode_record(record))
            if not found and number <= len(whole):
                content.damaged.append(line)
                _refuse(path, number, line, error)
    return content


def _refuse(path: Path, number: int, line: bytes, error: ValueError) -> None:
    text = line.decode("utf-8", errors="backslashreplace")
    refused = put_aside(path, f"line {number} is damaged: {error}", {"line": text})
    log.warning("%s: line %d is damaged and was moved to %s (%s)", path, number, refused, error)
