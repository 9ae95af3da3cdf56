"""Phone segments as speech tools write them: .phn, .lab and .TextGrid."""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from framesweep.data.corpus import Array
from framesweep.data.formats.textgrid import read_tier
from framesweep.errors import DataError

Format = Literal["auto", "phn", "xlabel", "htk", "seconds", "textgrid"]

SUFFIXES = (".phn", ".lab", ".textgrid")
HTK_UNITS = 1e7
"""HTK counts time in 100 ns."""
SLACK = 1e-3
"""Seconds by which a segment may begin before the last one's end: rounding, not overlap."""
IN_CONTEXT = re.compile(r"^[^-+]*-([^-+]+)\+.+$")
"""A phone between its neighbours, as HTK's triphones and HTS's full contexts name it."""


@dataclass(frozen=True, slots=True)
class Segments:
    """The phones of one utterance in order.

    Attributes:
        starts, ends: (S,) float64, in seconds.
        phones: S names; "" for a segment that has none.
    """

    starts: Array
    ends: Array
    phones: tuple[str, ...]

    def at(self, times: Array) -> Array:
        """(T,) seconds to (T,) places in `phones`, -1 where no segment covers the time.

        A segment holds its start and not its end.
        """
        places = np.searchsorted(self.starts, times, side="right") - 1
        covered = (places >= 0) & (times < self.ends[places]) if len(self.ends) else False
        return np.where(covered, places, -1)


def read_segments(path: Path, kind: Format, tier: str, sample_rate: int) -> Segments:
    """Reads one file of segments.

    Args:
        path: the file; UTF-8, or UTF-16 with a byte order mark.
        kind: its format; auto goes by suffix, and by content between the kinds of .lab.
        tier: name of the tier of a TextGrid.
        sample_rate: of the audio the segments belong to, in Hz: .phn counts samples.

    Raises:
        DataError: the file cannot be read, is not of its format, or its segments are not in
            order of time.
    """
    text = _decoded(path)
    found = _kind(path, text) if kind == "auto" else kind
    parse: Callable[[Path, str], Iterable[tuple[float, float, str]]] = {
        "phn": _phn,
        "xlabel": _xlabel,
        "htk": _htk,
        "seconds": _seconds,
        "textgrid": lambda path, text: read_tier(path, text, tier),
    }[found]
    per_second = {"phn": sample_rate, "htk": HTK_UNITS}.get(found, 1)
    rows = list(parse(path, text))
    starts = np.asarray([row[0] for row in rows], dtype=np.float64) / per_second
    ends = np.asarray([row[1] for row in rows], dtype=np.float64) / per_second
    _check_order(path, starts, ends)
    return Segments(starts, ends, tuple(row[2] for row in rows))


def _decoded(path: Path) -> str:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DataError(path, f"must be readable ({error.strerror})") from None
    utf16 = data.startswith((b"\xff\xfe", b"\xfe\xff"))
    try:
        return data.decode("utf-16" if utf16 else "utf-8-sig")
    except UnicodeDecodeError:
        rule = "must be UTF-8, or UTF-16 with a byte order mark"
        raise DataError(path, rule, fix="Save it as UTF-8.") from None


def _kind(path: Path, text: str) -> str:
    suffix = path.suffix.lower()
    if suffix == ".lab":
        if any(line.strip() == "#" for line in text.splitlines()):
            return "xlabel"
        # HTK's times are whole numbers.
        return "seconds" if any("." in line.split()[0] for _, line in _lines(text)) else "htk"
    if suffix in SUFFIXES:
        return suffix[1:]
    raise DataError(
        path, f"suffix must be one of {', '.join(SUFFIXES)}", fix="Or set data.format."
    )


def _phn(path: Path, text: str) -> Iterator[tuple[float, float, str]]:
    for number, line in _lines(text):
        fields = line.split()
        if len(fields) != 3:
            raise _bad_line(path, number, "must be `START END PHONE` in samples", line)
        yield _time(path, number, fields[0]), _time(path, number, fields[1]), fields[2]


def _htk(path: Path, text: str) -> Iterator[tuple[float, float, str]]:
    for number, line in _lines(text):
        if line.strip() == "///":  # what follows are alternatives
            return
        fields = line.split()
        if len(fields) < 3:
            raise _bad_line(path, number, "must be `START END PHONE` in units of 100 ns", line)
        phone = IN_CONTEXT.sub(r"\1", fields[2])
        yield _time(path, number, fields[0]), _time(path, number, fields[1]), phone


def _seconds(path: Path, text: str) -> Iterator[tuple[float, float, str]]:
    for number, line in _lines(text):
        fields = line.split(maxsplit=2)
        if len(fields) < 2:
            raise _bad_line(path, number, "must be `START END PHONE` in seconds", line)
        phone = fields[2].strip() if len(fields) == 3 else ""
        yield _time(path, number, fields[0]), _time(path, number, fields[1]), phone


def _xlabel(path: Path, text: str) -> Iterator[tuple[float, float, str]]:
    start, in_body = 0.0, False
    for number, line in _lines(text):
        if not in_body:
            in_body = line.strip() == "#"
            continue
        fields = line.split(maxsplit=2)
        if len(fields) < 2:
            raise _bad_line(path, number, "must be `END COLOUR PHONE` in seconds", line)
        end = _time(path, number, fields[0])
        # A line may carry further fields after semicolons.
        phone = fields[2].split(";")[0].strip() if len(fields) == 3 else ""
        yield start, end, phone
        start = end
    if not in_body:
        raise DataError(path, "must have a line `#` before its labels")


def _lines(text: str) -> Iterator[tuple[int, str]]:
    return ((n, line) for n, line in enumerate(text.splitlines(), start=1) if line.strip())


def _bad_line(path: Path, number: int, rule: str, line: str) -> DataError:
    return DataError(f"{path}, line {number}", rule, found=line.strip()[:60])


def _time(path: Path, number: int, field: str) -> float:
    try:
        time = float(field)
    except ValueError:
        time = np.nan
    if not np.isfinite(time) or time < 0:
        raise _bad_line(path, number, "a time must be a number of at least 0", field)
    return time


def _check_order(path: Path, starts: Array, ends: Array) -> None:
    if len(starts) == 0:
        raise DataError(path, "must have at least one segment")
    backward = np.flatnonzero(ends < starts)
    if len(backward):
        first = backward[0]
        raise DataError(
            f"{path}, segment {first + 1}",
            "must end after it starts",
            found=f"{starts[first]:.4f} to {ends[first]:.4f} s",
        )
    early = np.flatnonzero(starts[1:] < np.maximum(starts[:-1], ends[:-1] - SLACK))
    if len(early):
        first = early[0]
        raise DataError(
            f"{path}, segment {first + 2}",
            f"must start after the one before ends, at {ends[first]:.4f} s",
            found=f"{starts[first + 1]:.4f} s",
            fix="If times are not in this unit, set data.format.",
        )
