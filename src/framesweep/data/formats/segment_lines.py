"""The lines and times that the text formats of segments have in common."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from framesweep.data.formats.master_files import Place
from framesweep.errors import DataError


def split_lines(text: str) -> list[str]:
    """Return the lines of a text, which end as lines of bytes do: with \\n, \\r or both.

    The parts of a file of many utterances are found by its bytes. str.splitlines would also
    split where other characters separate lines, such as U+2028 in the name of a phone.
    """
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")


def numbered_lines(text: str) -> Iterator[tuple[int, str]]:
    """Yield the number, from 1, and the text of each line that is not blank."""
    return ((n, line) for n, line in enumerate(split_lines(text), start=1) if line.strip())


def line_error(path: Path | Place, number: int, rule: str, line: str) -> DataError:
    """Return an error about a line, which it names and quotes."""
    where = path.name_line(number) if isinstance(path, Place) else f"{path}, line {number}"
    return DataError(where, rule, found=line.strip()[:60])


def parse_time(path: Path | Place, number: int, field: str) -> float:
    """Return a time as a number; raise DataError unless it is finite and at least 0."""
    try:
        time = float(field)
    except ValueError:
        time = np.nan
    if not np.isfinite(time) or time < 0:
        raise line_error(path, number, "a time must be a non-negative number", field)
    return time
