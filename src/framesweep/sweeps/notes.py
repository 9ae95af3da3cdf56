"""Writes the description of a sweep's parent run, which MLflow shows as Markdown."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from framesweep.credentials import printable, scrub

MAX_ROWS, MAX_LENGTH = 20, 7500
"""Most rows of the table, and most characters of the note; MLflow keeps 8,000 of a tag."""

MAX_CELL = 60

PARETO_HINT = "The commands that train the Pareto front again are in best.yaml."
"""What a sweep of several objectives has in place of a best run and its command."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A run of a sweep: its name, its objectives by name, and its swept values."""

    name: str
    values: Mapping[str, float]
    params: Mapping[str, object] = field(default_factory=dict)


def build_note(
    summary: str, entries: Sequence[Entry], command: str | None, *, is_front: bool = False
) -> str:
    """Return a summary, the table of the best runs, and the command that trains the best again.

    Args:
        summary: One line on the sweep.
        entries: Its finished runs, the best first.
        command: The command that trains the first of them again; None without any.
        is_front: Whether the sweep has several objectives, so that no run is the best.
    """
    if is_front and entries:
        summary = f"{summary} {PARETO_HINT}"
    parts = [_escape_text(summary)]
    if command is not None and not is_front:
        # Four backticks: a value in the command may contain three.
        text = printable(scrub(command))
        parts.append(f"Train the best one again:\n\n````console\n$ {text}\n````")
    num_rows = min(len(entries), MAX_ROWS)
    while num_rows and len("\n\n".join([*parts, _build_table(entries, num_rows)])) > MAX_LENGTH:
        num_rows -= 1
    if num_rows:
        parts.append(_build_table(entries, num_rows))
    if num_rows < len(entries):
        parts.append(f"{len(entries) - num_rows} more are in the list of runs.")
    return "\n\n".join(parts)


def _build_table(entries: Sequence[Entry], num_rows: int) -> str:
    shown = entries[:num_rows]
    objectives = list(dict.fromkeys(name for entry in shown for name in entry.values))
    keys = list(dict.fromkeys(key for entry in shown for key in entry.params))
    rows = [["run", *objectives, *keys], ["---"] * (1 + len(objectives) + len(keys))]
    for entry in shown:
        numbers = (f"{entry.values[n]:.6g}" if n in entry.values else "" for n in objectives)
        params = (_format_value(entry.params.get(key, "")) for key in keys)
        rows.append([entry.name, *numbers, *params])
    cells = [[cell if cell == "---" else _escape_cell(cell) for cell in row] for row in rows]
    return "\n".join("| " + " | ".join(row) + " |" for row in cells)


def _format_value(value: object) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _escape_cell(text: str) -> str:
    short = text if len(text) <= MAX_CELL else text[: MAX_CELL - 1] + "…"
    return _escape_text(short.replace("\n", " "))


def _escape_text(text: str) -> str:
    """Return the text without a meaning in Markdown or HTML; names may come from anybody."""
    clean = printable(scrub(text))
    return "".join(f"\\{char}" if char in "\\`*_[]<>|#~!$" else char for char in clean)
