"""Reads Kaldi's indices (.scp), archives (.ark) and text alignments.

The formats are described at https://kaldi-asr.org/doc/io.html. An .scp file has one
`UTTERANCE FILE:OFFSET` line per utterance; the offset is the byte in the archive at which the
utterance's matrix or vector starts, so a reader seeks to it and never parses the whole archive.
Kaldi also allows a shell command with a pipe instead of a file. Such entries are refused:
reading a corpus must not run programs.
"""

import contextlib
import os
import re
import struct
from codecs import BOM_UTF8
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from kaldiio.matio import read_ascii_mat, read_kaldi

from framesweep.data.corpus import Array
from framesweep.data.formats.kaldi_headers import MARK, read_extent
from framesweep.data.formats.names import normalize_name
from framesweep.errors import DataError, UnsafeFileError

# FILE, FILE:OFFSET or FILE:OFFSET[FIRST:LAST]. The file is matched lazily so that an offset is
# not taken for a part of the name.
_LOCATION = re.compile(r"(?P<file>.+?)(?::(?P<offset>[0-9]+))?(?:\[(?P<rows>[0-9]+:[0-9]+)\])?")
_NUMBER_STARTS = tuple(bytes([code]) for code in b"-0123456789")


@dataclass(frozen=True, slots=True)
class ArrayLocation:
    """The location of a stored array.

    Attributes:
        file: the archive.
        offset: the byte at which the array starts.
        rows: the rows to keep.
    """

    file: Path
    offset: int
    rows: slice


def read_index(path: Path, root: Path) -> dict[str, ArrayLocation]:
    """Return the array locations that an .scp file lists, by utterance id and in its order.

    Relative archive names are looked up in `root`, then in the folder of the index, then in
    the working directory.

    Raises:
        DataError: the file is missing or malformed, or an archive does not exist.
        UnsafeFileError: an entry is a command instead of a file.
    """
    locations: dict[str, ArrayLocation] = {}
    archives: dict[str, Path] = {}
    for id, entry in read_pairs(path).items():
        if entry.endswith("|") or entry.startswith("|"):
            rule = "must name archives, not commands to run"
            fix = "Write the archive to a file with copy-feats or copy-int-vector."
            raise UnsafeFileError(f"{path}, utterance {id}", rule, found=entry[:80], fix=fix)
        match = _LOCATION.fullmatch(entry)
        if match is None:
            raise DataError(
                f"{path}, utterance {id}", "must be FILE[:OFFSET]", found=entry[:80]
            )
        # An index has thousands of entries in a few archives: look each archive up once.
        name = match["file"]
        if name not in archives:
            archives[name] = _find_archive(name, path, root)
        rows = slice(None)
        if match["rows"]:  # Kaldi's last row is inclusive
            first, last = map(int, match["rows"].split(":"))
            rows = slice(first, last + 1)
        locations[id] = ArrayLocation(archives[name], int(match["offset"] or 0), rows)
    return locations


def locate_labels(path: Path, root: Path) -> dict[str, ArrayLocation | int]:
    """Return where each utterance's frame labels are stored.

    An .scp file gives array locations, as `read_index` does. Any other file must be text with
    one `UTTERANCE LABEL LABEL ...` line per utterance, and gives the byte at which the
    utterance's line starts: a large alignment is indexed in one pass and never kept in memory.

    Raises:
        DataError: the file is missing, is not text, or lists an utterance twice.
        UnsafeFileError: an .scp entry is a command instead of a file.
    """
    if not path.exists():
        raise DataError(path, "must exist", fix="Set data.alignments.")
    if path.suffix == ".scp":
        return dict(read_index(path, root))
    locations: dict[str, ArrayLocation | int] = {}
    with path.open("rb") as handle:
        if b"\0" in handle.read(1024):
            raise DataError(path, "must be text", fix="Decompress it, or use an .scp file.")
        handle.seek(0)
        offset = len(BOM_UTF8) if handle.read(len(BOM_UTF8)) == BOM_UTF8 else 0
        handle.seek(offset)
        for line in handle:
            fields = line.split(maxsplit=1)
            if fields:
                id = normalize_name(fields[0].decode("utf-8", errors="replace"))
                if id in locations:
                    raise DataError(path, "must list each utterance once", found=id)
                locations[id] = offset
            offset += len(line)
    return locations


def read_text_labels(path: Path, offset: int) -> Array:
    """Return the (T,) int64 labels on the line that starts at byte `offset`.

    Raises:
        DataError: a label is not an integer.
    """
    with path.open("rb") as handle:
        handle.seek(offset)
        id, *fields = handle.readline().split()
    try:
        return np.array([int(field) for field in fields], dtype=np.int64)
    except (ValueError, OverflowError):
        where = f"{path}, utterance {id.decode('utf-8', errors='replace')}"
        raise DataError(where, "labels must be integers") from None


def read_array(location: ArrayLocation) -> Array:
    """Return the matrix or vector at a location; compressed matrices are decompressed.

    Raises:
        DataError: there is no Kaldi matrix or vector, it is truncated, or it cannot be read.
        UnsafeFileError: there is a pickle.
    """
    where = f"{location.file}, byte {location.offset}"
    try:
        with location.file.open("rb") as handle:
            array = _read_array(handle, location.offset, where)
    except (AssertionError, EOFError, RuntimeError, struct.error, ValueError) as error:
        raise DataError(where, f"must be a complete matrix or vector ({error})") from None
    except (OSError, OverflowError) as error:
        raise DataError(where, f"must be readable ({error})") from None
    return np.asarray(array)[location.rows]


def _read_array(handle: BinaryIO, offset: int, where: str) -> Array:
    handle.seek(offset)
    start = handle.read(5)
    handle.seek(offset)
    # kaldiio extends Kaldi's format: it would unpickle what follows "PKL", and decode audio
    # and .npy data. Let through only binary data and text that starts as numbers do.
    if start.startswith(b"PKL"):
        raise UnsafeFileError(where, "must be a Kaldi matrix or vector", found="a pickle")
    array: Array
    if start.startswith(MARK):
        handle.seek(offset + len(MARK))
        end, size = read_extent(handle)[1], os.fstat(handle.fileno()).st_size
        if end is not None and end > size:
            raise EOFError(f"it would end at byte {end} of {size}")
        handle.seek(offset)
        array = read_kaldi(handle)
    elif start.strip()[:1] in (b"[", *_NUMBER_STARTS):
        # Not read_kaldi, which reads five bytes and goes back by five, even if there are fewer.
        array = read_ascii_mat(handle)
    else:
        raise DataError(where, "must be a Kaldi matrix or vector", found=start)
    return array


def read_pairs(path: Path) -> dict[str, str]:
    """Return the pairs in a file of `KEY VALUE` lines, in the file's order.

    Raises:
        DataError: the file is unreadable, a line has no value, or a key is repeated.
    """
    pairs: dict[str, str] = {}
    for number, line in _read_lines(path):
        key, *value = line.split(maxsplit=1)
        if not value:
            raise DataError(f"{path}, line {number}", "must be `KEY VALUE`", found=line[:80])
        key = normalize_name(key)
        if key in pairs:
            raise DataError(f"{path}, line {number}", "must not repeat a key", found=key)
        pairs[key] = value[0].strip()
    return pairs


def _read_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the number and the text of each line that is not blank."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise DataError(path, "must exist") from None
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise DataError(path, f"must be a readable text file ({reason})") from None
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip():
            yield number, line


def _find_archive(name: str, index: Path, root: Path) -> Path:
    for folder in (root, index.parent, Path.cwd()):
        # A garbled entry can be longer than a path may be, and then is_file raises.
        with contextlib.suppress(OSError):
            if (folder / name).is_file():
                return folder / name
    raise DataError(index, "must name archives that exist", found=name[:80])
