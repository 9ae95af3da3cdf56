"""Kaldi's indices (.scp), archives (.ark) and text alignments, without what runs programs."""

import contextlib
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from kaldiio.matio import read_kaldi

from framesweep.data.corpus import Array
from framesweep.errors import DataError, UnsafeFileError

_PLACE = re.compile(r"(?P<file>.+?)(?::(?P<offset>[0-9]+))?(?:\[(?P<rows>[0-9]+:[0-9]+)\])?")
_BINARY = b"\0B"


@dataclass(frozen=True, slots=True)
class Place:
    """Where an array lies: a file, the byte at which it starts, and the rows wanted."""

    file: Path
    offset: int
    rows: slice


def read_index(path: Path, root: Path) -> dict[str, Place]:
    """The places that an .scp file names by utterance, in its order.

    Relative paths are looked for under `root`, then beside the index, then where we run.

    Raises:
        DataError: the file is missing or broken, or names an archive that is not there.
        UnsafeFileError: it names a program to run.
    """
    places: dict[str, Place] = {}
    found: dict[str, Path] = {}
    for id, rest in read_pairs(path).items():
        if rest.endswith("|") or rest.startswith("|"):
            rule = "must name archives, not programs to run"
            fix = "Write the archive out with copy-feats or copy-int-vector."
            raise UnsafeFileError(f"{path}, utterance {id}", rule, found=rest[:80], fix=fix)
        match = _PLACE.fullmatch(rest)
        if match is None:
            raise DataError(f"{path}, utterance {id}", "must be FILE[:OFFSET]", found=rest[:80])
        name = match["file"]
        if name not in found:
            found[name] = _find(name, path, root)
        rows = slice(None)
        if match["rows"]:  # Kaldi counts the last row in
            first, last = map(int, match["rows"].split(":"))
            rows = slice(first, last + 1)
        places[id] = Place(found[name], int(match["offset"] or 0), rows)
    return places


def read_labels(path: Path, root: Path) -> dict[str, Place | int]:
    """Where each utterance's labels lie: as read_index, or the byte of its line in a text."""
    if path.suffix == ".scp":
        return dict(read_index(path, root))
    if not path.exists():
        raise DataError(path, "must exist", fix="Set data.alignments.")
    places: dict[str, Place | int] = {}
    with path.open("rb") as handle:
        if b"\0" in handle.read(1024):
            raise DataError(path, "must be text", fix="Unpack it, or use an .scp file.")
        handle.seek(0)
        offset = 0
        for line in handle:
            fields = line.split(maxsplit=1)
            if fields:
                id = fields[0].decode("utf-8", errors="replace")
                if id in places:
                    raise DataError(path, "must hold each utterance once", found=id)
                places[id] = offset
            offset += len(line)
    return places


def read_text_labels(path: Path, offset: int) -> Array:
    """(T,) int64 labels of the line that starts at `offset`; raises DataError."""
    with path.open("rb") as handle:
        handle.seek(offset)
        id, *fields = handle.readline().split()
    try:
        return np.array([int(field) for field in fields], dtype=np.int64)
    except (ValueError, OverflowError):
        where = f"{path}, utterance {id.decode('utf-8', errors='replace')}"
        raise DataError(where, "labels must be integers") from None


def read_array(place: Place) -> Array:
    """The matrix or vector at a place, compressed ones unpacked.

    Raises:
        DataError: what lies there is no Kaldi matrix or vector, or is cut short.
        UnsafeFileError: a pickle lies there.
    """
    where = f"{place.file}, byte {place.offset}"
    with place.file.open("rb") as handle:
        handle.seek(place.offset)
        start = handle.read(5)
        if start.startswith(b"PKL"):
            raise UnsafeFileError(where, "must be a Kaldi matrix or vector", found="a pickle")
        # kaldiio also reads sound and numpy files; of text, only what begins as numbers do.
        if not start.startswith(_BINARY) and start.strip()[:1] not in (b"[", *_DIGITS):
            raise DataError(where, "must be a Kaldi matrix or vector", found=start)
        handle.seek(place.offset)
        try:
            array = read_kaldi(handle)
        except (ValueError, AssertionError, struct.error, RuntimeError, EOFError) as error:
            raise DataError(where, f"must be a whole matrix or vector ({error})") from None
    return np.asarray(array)[place.rows]


_DIGITS = tuple(bytes([code]) for code in b"-0123456789")


def read_pairs(path: Path) -> dict[str, str]:
    """A file of `KEY VALUE` lines in its order; raises DataError."""
    pairs: dict[str, str] = {}
    for number, line in _lines(path):
        key, *value = line.split(maxsplit=1)
        if not value:
            raise DataError(f"{path}, line {number}", "must be `KEY VALUE`", found=line[:80])
        if key in pairs:
            raise DataError(f"{path}, line {number}", "must not repeat a key", found=key)
        pairs[key] = value[0].strip()
    return pairs


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(path, f"must be a readable text file ({error})") from None
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip():
            yield number, line


def _find(name: str, index: Path, root: Path) -> Path:
    for folder in (root, index.parent, Path.cwd()):
        with contextlib.suppress(OSError):  # no path, as one that is too long
            if (folder / name).is_file():
                return folder / name
    raise DataError(index, "must name archives that exist", found=name[:80])
