"""Reads phone segments from the formats of speech tools: .phn, .lab, .TextGrid and others.

A segment is the stretch of time in which one phone is spoken. The formats differ in their unit
of time: .phn (TIMIT) counts samples, .lab counts seconds (Festival, xlabel) or units of 100 ns
(HTK, also in .mlf), and .TextGrid (Praat, the Montreal Forced Aligner), .ctm, .csv, .json and
Festival's .utt count seconds.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from framesweep.data.corpus import Array
from framesweep.data.formats.festival import parse_festival
from framesweep.data.formats.master_files import Part, Place, read_part
from framesweep.data.formats.segment_json import parse_json
from framesweep.data.formats.segment_lines import line_error, numbered_lines, parse_time
from framesweep.data.formats.segment_tables import parse_csv, parse_ctm
from framesweep.data.formats.textgrid import read_tier
from framesweep.errors import DataError

Format = Literal[
    "auto",
    "phn",
    "xlabel",
    "htk",
    "mlf",
    "seconds",
    "textgrid",
    "ctm",
    "csv",
    "json",
    "festival",
]

SUFFIXES = (".phn", ".lab", ".phones", ".textgrid")
HTK_UNITS_PER_SECOND = 1e7
"""HTK measures time in units of 100 ns (The HTK Book, section on label files)."""
TOLERANCE = 1e-3
"""Seconds by which a segment may start before the previous one ends: rounding, not overlap."""
CTM_TOLERANCE = 1e-2
"""The same for .ctm, whose starts and durations are often rounded to two decimals each."""
_ALIKE = ("phn", "xlabel", "htk", "seconds")
"""The formats of .phn and .lab files, whose units of time differ."""
_IN_CONTEXT = re.compile(r"^[^-+]*-([^-+]+)\+.+$")
"""A phone between its neighbors, LEFT-PHONE+RIGHT, as in the triphones of HTK and HTS."""

_Row = tuple[float, float, str]
"""Start, end and phone; times in the unit of the format."""


@dataclass(frozen=True, slots=True)
class Segments:
    """The phones of one utterance in order of time.

    Attributes:
        starts, ends: (S,) float64 in seconds.
        phones: S names; "" for a segment without a name.
    """

    starts: Array
    ends: Array
    phones: tuple[str, ...]

    def at(self, times: Array) -> Array:
        """Return the index in `phones` of the segment that covers each time.

        A segment includes its start and excludes its end.

        Args:
            times: (T,) in seconds.

        Returns:
            (T,) indices; -1 where no segment covers the time.
        """
        indices = np.searchsorted(self.starts, times, side="right") - 1
        covered = (indices >= 0) & (times < self.ends[indices]) if len(self.ends) else False
        return np.where(covered, indices, -1)


def read_segments(
    path: Path,
    kind: Format,
    tier: str,
    sample_rate: int,
    part: Part | None = None,
    utterance: str = "",
) -> Segments:
    """Read one file of segments.

    Args:
        path: the file, in UTF-8, or in UTF-16 with a byte order mark.
        kind: the format; auto decides by the suffix and, for .lab, by the content.
        tier: the tier in a TextGrid or in JSON, as `select_tier` understands it.
        sample_rate: sample rate in Hz of the audio that the segments describe, for .phn.
        part: the part of a file of many utterances to read; None for all of it.
        utterance: whose part it is, for error messages.

    Raises:
        DataError: the file is unreadable, not in its format, or its segments are not in order
            of time.
    """
    where = path if part is None else Place(path, part, utterance)
    text = _read_text(path, part)
    detected = _detect_format(path, text) if kind == "auto" else kind
    parsers: dict[str, Callable[..., Iterable[_Row]]] = {
        "phn": _parse_phn,
        "xlabel": _parse_xlabel,
        "htk": _parse_htk,
        "mlf": _parse_htk,
        "seconds": _parse_seconds,
        "textgrid": lambda path, text: read_tier(path, text, tier),
        "ctm": parse_ctm,
        "csv": parse_csv,
        "json": lambda path, text: parse_json(path, text, tier),
        "festival": parse_festival,
    }
    htk = HTK_UNITS_PER_SECOND
    units_per_second = {"phn": sample_rate, "htk": htk, "mlf": htk}.get(detected, 1)
    rows = list(parsers[detected](where, text))
    starts = np.asarray([row[0] for row in rows], dtype=np.float64) / units_per_second
    ends = np.asarray([row[1] for row in rows], dtype=np.float64) / units_per_second
    _validate_order(where, starts, ends, detected)
    return Segments(starts, ends, tuple(row[2] for row in rows))


def _read_text(path: Path, part: Part | None) -> str:
    try:
        data = read_part(path, part)
    except OSError as error:
        raise DataError(path, f"must be readable ({error.strerror})") from None
    if data.startswith(b"ooBinaryFile"):
        rule, fix = "must be a text file of Praat", "In Praat, use Save as text file..."
        raise DataError(path, rule, found="a binary file", fix=fix)
    # Praat saves UTF-16 as soon as a label is not ASCII.
    utf16 = data.startswith((b"\xff\xfe", b"\xfe\xff"))
    try:
        return data.decode("utf-16" if utf16 else "utf-8-sig")
    except UnicodeDecodeError:
        rule = "must be UTF-8, or UTF-16 with a byte order mark"
        raise DataError(path, rule, fix="Save it as UTF-8.") from None


def _detect_format(path: Path, text: str) -> str:
    suffix = path.suffix.lower()
    if suffix in (".lab", ".phones"):
        # Buckeye's .phones are in xlabel's format, with a header that ends with a line `#`.
        # Three tools write .lab: of the two without such a header, HTK writes integers and the
        # rest write seconds with a decimal point.
        if any(line.strip() == "#" for line in text.splitlines()):
            return "xlabel"
        has_point = any("." in line.split()[0] for _, line in numbered_lines(text))
        return "seconds" if has_point else "htk"
    if suffix in (*SUFFIXES, ".mlf"):
        return suffix[1:]
    raise DataError(
        path, f"the suffix must be one of {', '.join(SUFFIXES)}", fix="Or set data.format."
    )


def _parse_phn(path: Path, text: str) -> Iterator[_Row]:
    for number, line in numbered_lines(text):
        fields = line.split()
        if len(fields) != 3:
            raise line_error(path, number, "must be `START END PHONE` in samples", line)
        start, end = (parse_time(path, number, field) for field in fields[:2])
        yield start, end, fields[2]


def _parse_htk(path: Path | Place, text: str) -> Iterator[_Row]:
    for number, line in numbered_lines(text):
        if line.strip() == "///":  # separates the best transcription from alternatives
            return
        fields = line.split()  # scores and words may follow the phone
        if len(fields) < 3:
            rule = "must be `START END PHONE` in units of 100 ns"
            raise line_error(path, number, rule, line)
        start, end = (parse_time(path, number, field) for field in fields[:2])
        yield start, end, _IN_CONTEXT.sub(r"\1", fields[2])


def _parse_seconds(path: Path, text: str) -> Iterator[_Row]:
    for number, line in numbered_lines(text):
        fields = line.split(maxsplit=2)
        if len(fields) < 2:
            raise line_error(path, number, "must be `START END PHONE` in seconds", line)
        start, end = (parse_time(path, number, field) for field in fields[:2])
        yield start, end, fields[2].strip() if len(fields) == 3 else ""


def _parse_xlabel(path: Path, text: str) -> Iterator[_Row]:
    # Lines give only the end of a segment; it starts where the previous one ended.
    start, in_body = 0.0, False
    for number, line in numbered_lines(text):
        if not in_body:
            in_body = line.strip() == "#"
            continue
        fields = line.split(maxsplit=2)
        if len(fields) < 2:
            raise line_error(path, number, "must be `END COLOR PHONE` in seconds", line)
        end = parse_time(path, number, fields[0])
        # Further fields may follow the phone after semicolons.
        yield start, end, fields[2].split(";")[0].strip() if len(fields) == 3 else ""
        start = end
    if not in_body:
        raise DataError(path, "must have a line `#` before its labels")


def _validate_order(where: Path | Place, starts: Array, ends: Array, kind: str) -> None:
    """Raise DataError unless there are segments, each ends after its start, and none overlap.

    `Segments.at` searches `starts` by bisection, which needs them in ascending order.
    """
    if len(starts) == 0:
        raise DataError(where, "must have at least one segment")
    reversed_segments = np.flatnonzero(ends < starts)
    if len(reversed_segments):
        first = reversed_segments[0]
        raise DataError(
            f"{where}, segment {first + 1}",
            "must not end before it starts",
            found=f"{starts[first]:.4f} to {ends[first]:.4f} s",
        )
    # The sum of a start and a duration differs in its last bits from the time that is meant.
    tolerance = 1e-6 + (CTM_TOLERANCE if kind == "ctm" else TOLERANCE)
    overlapping = np.flatnonzero(starts[1:] < np.maximum(starts[:-1], ends[:-1] - tolerance))
    if len(overlapping):
        first = overlapping[0]
        raise DataError(
            f"{where}, segment {first + 2}",
            f"must start after the previous segment ends, at {ends[first]:.4f} s",
            found=f"{starts[first + 1]:.4f} s",
            fix="If the times are in another unit, set data.format." if kind in _ALIKE else "",
        )
