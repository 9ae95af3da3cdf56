"""Finds the labels of each utterance in files of many: HTK's .mlf, NIST's .ctm, and .csv.

They are indexed in one pass: an utterance's part of the file is found by its position, and read
only when it is needed, by whichever process needs it.
"""

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from framesweep.data.formats.names import normalize_name
from framesweep.errors import DataError

Part = tuple[int, int]
"""Positions in bytes at which an utterance's part of a file starts and ends."""

UTTERANCE_COLUMN = "utterance"
"""The column of a CSV file that names the utterance of each row."""

COMMENT = ";;"
"""How the first field of a line begins that is a comment in .ctm."""

HEADER_BYTES = 4096
"""Bytes to read at a time until the header of a CSV file is complete."""

_MLF_HEADER = b"#!MLF!#"
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Place:
    """An utterance's part of a file, for error messages.

    Attributes:
        path: the file.
        part: the part.
        utterance: the id of the utterance.
    """

    path: Path
    part: Part
    utterance: str

    def __str__(self) -> str:
        return f"{self.path}, utterance {self.utterance} (from line {self._count_lines() + 1})"

    def name_line(self, number: int) -> str:
        """Return the place of a line by its number in what `read_part` returned."""
        header = 1 if self.path.suffix.lower() == ".csv" else 0
        line = self._count_lines() + number - header
        return f"{self.path}, utterance {self.utterance}, line {line}"

    def _count_lines(self) -> int:
        """Return the number of lines before the part; only an error needs it."""
        with self.path.open("rb") as file:
            return len(file.read(self.part[0]).splitlines())


def read_part(path: Path, part: Part | None) -> bytes:
    """Return a part of a file, or the whole file if `part` is None.

    The header of a CSV file precedes each of its parts.

    Raises:
        OSError: the file cannot be read.
    """
    if part is None:
        return path.read_bytes()
    with path.open("rb") as file:
        header = _read_header(file) if path.suffix.lower() == ".csv" else b""
        file.seek(part[0])
        return header + file.read(part[1] - part[0])


def _read_header(file: BinaryIO) -> bytes:
    """Return the first line, without reading a file whole whose lines end with \\r."""
    start = b""
    while chunk := file.read(HEADER_BYTES):
        start += chunk
        if len(lines := start.splitlines(keepends=True)) > 1:
            return lines[0]
    return start


def index_master_file(path: Path) -> dict[str, Part]:
    """Return where the labels of each utterance are, by the name that the file gives it.

    Raises:
        DataError: the file is unreadable or malformed, or names an utterance twice.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DataError(path, f"must be readable ({error.strerror})") from None
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise DataError(path, "must be UTF-8", fix="Save it as UTF-8.")
    index = {".mlf": _index_mlf, ".csv": _index_csv}.get(path.suffix.lower(), _index_ctm)
    parts: dict[str, Part] = {}
    for name, part in index(path, data):
        if name in parts:
            rule = "must list the labels of each utterance once, on consecutive lines"
            raise DataError(path, rule, found=name[:80], fix="Sort it by utterance.")
        parts[name] = part
    return parts


def _lines(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield each line with its position, without a byte order mark."""
    position = len(_BYTE_ORDER_MARK) if data.startswith(_BYTE_ORDER_MARK) else 0
    for line in data[position:].splitlines(keepends=True):
        yield position, line
        position += len(line)


def _index_mlf(path: Path, data: bytes) -> Iterator[tuple[str, Part]]:
    """Yield each entry: a quoted name, label lines, and a line `.` (The HTK Book, "Master Label
    Files")."""
    lines = _lines(data)
    _, header = next(lines, (0, b""))
    if header.strip() != _MLF_HEADER:
        raise DataError(
            path, "must begin with a line #!MLF!#", found=_decode(path, header)[:40]
        )
    name, start = "", 0
    for position, line in lines:
        text = line.strip()
        if name and text == b".":
            yield name, (start, position)
            name = ""
        elif not name and text:
            name = _decode(path, text)
            if len(name) < 3 or name[0] != '"' or name[-1] != '"' or "->" in name:
                raise DataError(path, 'must name an utterance as "NAME"', found=name[:60])
            name, start = name[1:-1], position + len(line)
    if name:
        raise DataError(path, "must end each utterance with a line `.`", found=name[:60])


def _index_ctm(path: Path, data: bytes) -> Iterator[tuple[str, Part]]:
    """Yield the consecutive lines of each utterance; lines of two semicolons are comments."""
    lines = (
        (position, line, first[0])
        for position, line in _lines(data)
        if (first := _decode(path, line).split(maxsplit=1)[:1])
        and not first[0].startswith(COMMENT)
    )
    return _group(lines)


def _index_csv(path: Path, data: bytes) -> Iterator[tuple[str, Part]]:
    """Yield the consecutive rows of each utterance, which the column `utterance` names."""
    lines = _lines(data)
    _, header = next(lines, (0, b""))
    columns = _split_row(path, header)
    if UTTERANCE_COLUMN not in columns:
        rule = f"must have a column {UTTERANCE_COLUMN} to label several utterances"
        raise DataError(path, rule, found=",".join(columns)[:80])
    column = columns.index(UTTERANCE_COLUMN)
    rows = (
        (position, line, fields[column])
        for position, line in lines
        if len(fields := _split_row(path, line)) > column
    )
    return _group(rows)


def has_utterance_column(path: Path) -> bool:
    """Return whether a CSV file names the utterance of each row.

    Raises:
        DataError: the file is unreadable or malformed.
    """
    try:
        with path.open("rb") as file:
            header = _read_header(file)
    except OSError as error:
        raise DataError(path, f"must be readable ({error.strerror})") from None
    return UTTERANCE_COLUMN in _split_row(path, header.removeprefix(_BYTE_ORDER_MARK))


def _split_row(path: Path, line: bytes) -> list[str]:
    try:
        return next(csv.reader([_decode(path, line)]), [])
    except csv.Error as error:
        raise DataError(path, f"must be a readable CSV file ({error})") from None


def _group(lines: Iterable[tuple[int, bytes, str]]) -> Iterator[tuple[str, Part]]:
    """Yield where the consecutive lines of each utterance are.

    Args:
        lines: position, text and utterance of each line.
    """
    name, start, end = "", 0, 0
    for position, line, utterance in lines:
        if utterance != name:
            if name:
                yield name, (start, end)
            name, start = utterance, position
        end = position + len(line)
    if name:
        yield name, (start, end)


def _decode(path: Path, text: bytes) -> str:
    try:
        return normalize_name(text.decode())
    except UnicodeDecodeError:
        raise DataError(path, "must be UTF-8", fix="Save it as UTF-8.") from None
