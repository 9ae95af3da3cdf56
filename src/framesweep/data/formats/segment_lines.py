"""The lines and times that the text formats of segments have in common."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from framesweep.errors import DataError


def numbered_lines(text: str) -> Iterator[tuple[int, str]]:
    """Yield the number, from 1, and the text of each line that is not blank."""
    return ((n, line) for n, line in enumerate(text.splitlines(), start=1) if line.strip())


def line_error(path: Path, number: int, rule: str, line: str) -> DataError:
    """Return an error about a line, which it names and quotes."""
    return DataError(f"{path}, line {number}", rule, found=line.strip()[:60])


def parse_time(path: Path, number: int, field: str) -> float:
    """Return a time as a number; raise DataError unless it is finite and at least 0."""
    try:
        time = float(field)
    except ValueError:
        time = np.nan
    if not np.isfinite(time) or time < 0:
        raise line_error(path, number, "a time must be a non-negative number", field)
    return time
