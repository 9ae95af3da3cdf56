"""What commands print: results as JSON, and tables that fit the terminal."""

import json
import math
import shutil
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from framesweep.credentials import printable
from framesweep.system.atomic_files import find_descriptor

STDOUT = 1
"""The descriptor of standard output."""
ELLIPSIS = "…"


def json_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add --json, which passes `as_json=True` to a command."""
    return click.option(
        "--json", "as_json", is_flag=True, help="Print the results as JSON instead."
    )(function)


def echo_json(results: Any) -> None:
    """Print results as JSON, the only thing that a command with --json writes to stdout."""
    click.echo(json.dumps(to_plain(results), indent=2, allow_nan=False))


def echo_result(as_json: bool, fields: Mapping[str, Any], *lines: str) -> None:
    """Print what a command has done: its fields as JSON, or else its lines.

    The lines are printed on standard error if the file that was written is standard output.
    """
    if as_json:
        echo_json(fields)
        return
    is_stdout = find_descriptor(Path(str(fields.get("file")))) == STDOUT
    for line in lines:
        click.echo(line, err=is_stdout)


def to_plain(value: Any) -> Any:
    """Return a value as JSON can hold it; NaN and infinity become null, as in RFC 8259."""
    match value:
        case float():
            return value if math.isfinite(value) else None
        case None | bool() | int() | str():
            return value
        case Mapping():
            return {str(key): to_plain(item) for key, item in value.items()}
        case Path():
            return str(value)
        case Iterable():
            return [to_plain(item) for item in value]
    return to_plain(value.item())  # a number of NumPy or torch


def format_time(seconds: float) -> str:
    """Return seconds since 1970 in ISO 8601, with the local offset."""
    return datetime.fromtimestamp(seconds).astimezone().isoformat(timespec="seconds")


def layout_table(
    header: Sequence[str], rows: Sequence[Sequence[str]], width: int | None, right: str = ""
) -> list[str]:
    """Return the lines of a table with aligned columns, of which the last fills the line.

    Args:
        header: The titles of the columns.
        rows: The cells of each row.
        width: Columns of the terminal, to which lines are cut; None to cut nothing.
        right: The titles of the columns that are aligned to the right, separated by spaces.
    """
    widths = [max(len(row[i]) for row in [header, *rows]) for i in range(len(header))]
    lines = []
    for row in [header, *rows]:
        cells = [
            f"{cell:>{size}}" if title in right.split() else f"{cell:<{size}}"
            for cell, size, title in zip(row, widths, header, strict=True)
        ]
        line = printable("  ".join(cells).rstrip())
        lines.append(line if width is None else cut(line, width))
    return lines


def cut(text: str, width: int) -> str:
    """Return a text of at most `width` characters."""
    return text if len(text) <= width else text[: width - 1] + ELLIPSIS


def terminal_width() -> int | None:
    """Return the columns of the terminal; None if stdout is a file or a pipe."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None
