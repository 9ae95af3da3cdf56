"""Reads phone segments from tables with one segment per line: .ctm and .csv."""

import csv
from collections.abc import Iterator
from pathlib import Path

from framesweep.data.formats.master_files import COMMENT, UTTERANCE_COLUMN, Place
from framesweep.data.formats.names import normalize_name
from framesweep.data.formats.segment_lines import (
    line_error,
    numbered_lines,
    parse_time,
    split_lines,
)
from framesweep.errors import DataError

CSV_COLUMNS = ("start_s", "end_s", "phone")
"""Columns that a CSV file must have; it may have others."""


def parse_ctm(path: Path | Place, text: str) -> Iterator[tuple[float, float, str]]:
    """Yield start and end in seconds and the phone of each line of NIST's CTM format.

    A line is `UTTERANCE CHANNEL START DURATION PHONE [CONFIDENCE]`, times in seconds; lines
    that start with two semicolons are comments (NIST, "sclite", section on file formats).

    Raises:
        DataError: a line has another form, or the file describes several utterances, or
            several channels of one.
    """
    utterance = channel = ""
    for number, line in numbered_lines(text):
        fields = line.split()
        if fields[0].startswith(COMMENT):
            continue
        if len(fields) not in (5, 6):
            rule = "must be `UTTERANCE CHANNEL START DURATION PHONE [CONFIDENCE]`"
            raise line_error(path, number, rule, line)
        start, duration = (parse_time(path, number, field) for field in fields[2:4])
        named = normalize_name(fields[0])
        utterance = utterance or named
        if named != utterance:
            rule = f"must describe one utterance, as the lines before, {utterance!r}"
            raise line_error(path, number, rule, line)
        channel = channel or fields[1]
        if fields[1] != channel:
            rule = f"must describe one channel, as the lines before, {channel!r}"
            raise line_error(path, number, rule, line)
        yield start, start + duration, fields[4]


def parse_csv(path: Path | Place, text: str) -> Iterator[tuple[float, float, str]]:
    """Yield start and end in seconds and the phone of each row of a CSV file with a header.

    Raises:
        DataError: one of CSV_COLUMNS is missing, a time is not a number, or the file describes
            several utterances.
    """
    try:
        yield from _parse_rows(path, text)
    except csv.Error as error:  # a field of more than 131,072 characters, for instance
        raise DataError(path, f"must be a readable CSV file ({error})") from None


def _parse_rows(path: Path | Place, text: str) -> Iterator[tuple[float, float, str]]:
    lines = split_lines(text)
    rows = csv.DictReader(lines)
    header = list(rows.fieldnames or ())
    # Of two columns with one name, the last would win silently.
    if repeated := [name for name in CSV_COLUMNS if header.count(name) > 1]:
        raise DataError(path, "must have one column of each name", found=repeated[0])
    if missing := [name for name in CSV_COLUMNS if name not in header]:
        rule = f"must have the columns {', '.join(CSV_COLUMNS)}, separated by commas alone"
        raise DataError(path, rule, found=f"no {missing[0]} in {','.join(header)}"[:80])
    utterance: str | None = None
    for row in rows:
        number, named = rows.line_num, normalize_name(row.get(UTTERANCE_COLUMN) or "")
        utterance = named if utterance is None else utterance
        if named != utterance:
            rule = f"must describe one utterance, as the rows before, {utterance!r}"
            raise line_error(path, number, rule, named)
        *_, last = row.values()  # the fields beyond the header are a list
        if row["phone"] is None or (isinstance(last, list) and any(last)):
            rule = f"must have the {len(header)} fields of the header"
            raise line_error(path, number, rule, lines[number - 1])
        start, end = (parse_time(path, number, row[name] or "") for name in CSV_COLUMNS[:2])
        yield start, end, row["phone"].strip()
