"""Checksums of files, which are written with them and compared when they are read.

CRC-32 detects every single flipped bit and every burst of up to 32 bits, and misses one in four
billion of all other changes. That is enough against failing disks and interrupted copies, and
it is faster than a cryptographic hash: see docs/robustness.md for the figures.

A folder of large files has a `checksums.json` with the size, modification time and checksum of
each. Small files are compared whenever the folder is opened. Large ones take seconds to read,
so they are compared only if their size or time has changed, or on request.
"""

import contextlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from framesweep.system.atomic_files import write_text

try:
    from isal import isal_zlib as zlib
except ImportError:  # `make gpu` runs with few packages
    import zlib  # type: ignore[no-redef]

crc32 = zlib.crc32
"""The standard library's CRC-32, or that of Intel's Intelligent Storage Acceleration Library,
which computes the same eight times as fast."""

CHECKSUMS_FILE = "checksums.json"
"""Name of the file with the checksums of the other files in its folder."""

SMALL_BYTES = 64_000_000
"""Largest file that is always compared, which takes some 30 ms."""

CHUNK_BYTES = 1 << 20
"""Bytes that are read at a time."""

CHECKSUM_KEY = "checksum"
"""Key of a JSON object with the checksum of its other keys."""


class DamagedFileError(ValueError):
    """A file is not as it was written; `path` names it, and the text says what differs."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(reason)
        self.path = path


def checksum(data: bytes) -> str:
    """Return the CRC-32 of `data` as eight hex digits."""
    return f"{crc32(data):08x}"


def checksum_file(path: Path) -> str:
    """Return the CRC-32 of a file's contents as eight hex digits."""
    total = 0
    # One buffer for all chunks: new memory for each would take longer than its checksum.
    buffer = memoryview(bytearray(CHUNK_BYTES))
    with path.open("rb", buffering=0) as file:
        while size := file.readinto(buffer):
            total = crc32(buffer[:size], total)
    return f"{total:08x}"


def dump_json(content: dict[str, Any]) -> str:
    """Return an object as JSON, with the checksum of its keys as the last one."""
    return json.dumps({**content, CHECKSUM_KEY: _checksum_json(content)}, indent=1)


def load_json(text: str) -> dict[str, Any]:
    """Return the object that `dump_json` wrote, or one without a checksum.

    Raises:
        ValueError: the text is not a JSON object, or its checksum differs.
    """
    content = json.loads(text)
    if not isinstance(content, dict):
        raise ValueError(f"it is a JSON {type(content).__name__}, not an object")
    expected = content.pop(CHECKSUM_KEY, None)
    if expected is not None and expected != _checksum_json(content):
        raise ValueError("its checksum differs, so it is damaged")
    return content


def _checksum_json(content: dict[str, Any]) -> str:
    return checksum(json.dumps(content, sort_keys=True).encode())


def write_checksums(folder: Path, known: dict[str, str] | None = None) -> None:
    """Write the checksums of all files in `folder` into its `checksums.json`.

    Args:
        folder: the folder, whose files are complete.
        known: name -> checksum of files that need not be read for it.
    """
    known = known or {}
    files = {
        path.name: {**_stat(path), "checksum": known.get(path.name) or checksum_file(path)}
        for path in sorted(folder.iterdir())
        if path.is_file() and path.name != CHECKSUMS_FILE
    }
    write_text(folder / CHECKSUMS_FILE, dump_json({"files": files}))


def verify_folder(folder: Path, names: Iterable[str], *, full: bool = False) -> None:
    """Compare files of `folder` with its `checksums.json`; do nothing if there is none.

    If a large file has the right contents but another time, as after a copy, the time is
    stored, so that the next call need not read the file.

    Args:
        folder: a folder that may have been written by an earlier version.
        names: names of the files; those that `checksums.json` does not list are skipped.
        full: whether to compare large files even if neither size nor time has changed.

    Raises:
        DamagedFileError: a file is missing or has other contents.
    """
    index = folder / CHECKSUMS_FILE
    try:
        files = load_json(index.read_text(encoding="utf-8"))["files"]
    except FileNotFoundError:
        return
    except (ValueError, KeyError, TypeError) as error:
        raise DamagedFileError(index, f"it cannot be read: {error}") from None
    touched = False
    for name in files.keys() & set(names):
        path, expected = folder / name, files[name]
        found = _stat(path) if path.exists() else {"size": 0, "mtime_ns": 0}
        if found["size"] != expected["size"]:
            reason = f"it should have {expected['size']} bytes, but has {found['size']}"
            raise DamagedFileError(path, reason)
        unchanged = found["mtime_ns"] == expected["mtime_ns"]
        is_due = full or found["size"] <= SMALL_BYTES or not unchanged
        if is_due and checksum_file(path) != expected["checksum"]:
            raise DamagedFileError(path, "its checksum differs")
        if not unchanged:
            files[name], touched = {**expected, **found}, True
    if touched:
        # A folder may be read-only; then a changed time costs one more comparison next time.
        with contextlib.suppress(OSError):
            write_text(index, dump_json({"files": files}))


def _stat(path: Path) -> dict[str, int]:
    stat = path.stat()
    return {"size": stat.st_size, "mtime_ns": stat.st_mtime_ns}
