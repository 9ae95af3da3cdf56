"""framesweep compare: print the params in which runs differ, and their metrics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from framesweep.commands.common.options import tracking_options
from framesweep.commands.common.output import cut, echo_json, json_option, terminal_width
from framesweep.credentials import printable

if TYPE_CHECKING:
    from framesweep.tracking import RunInfo

ABSENT = "-"
MAX_WIDTH = 40
"""Width of a column from which on its cells are cut."""


@click.command("compare")
@click.argument("run_ids", metavar="RUN_ID...", nargs=-1, required=True)
@json_option
@tracking_options
def command(run_ids: tuple[str, ...], *, as_json: bool, uri: str | None, outputs: Path) -> None:
    """Print the params in which runs differ, and all their metrics, one column per run."""
    from framesweep.tracking import load_run

    runs = [load_run(run_id, uri, outputs) for run_id in run_ids]
    params = [read_params(run) for run in runs]
    if as_json:
        differing = [row[0] for row in select_differing(params)]
        echo_json([_to_dict(*pair, differing) for pair in zip(runs, params, strict=True)])
        return
    metrics = [{k: f"{v:.6g}" for k, v in r.metrics.items()} for r in runs]
    rows = [["run", *(run.run_id[:8] for run in runs)], ["name", *(run.name for run in runs)]]
    rows += select_differing(params)
    rows += [[], *build_rows(metrics)]
    for line in align(rows, terminal_width()):
        click.echo(printable(line))


def _to_dict(
    run: RunInfo, params: Mapping[str, str], differing: Sequence[str]
) -> dict[str, Any]:
    """Return a run with its metrics, and its params of which runs have different values."""
    return {
        "run_id": run.run_id,
        "name": run.name,
        "status": run.status,
        "directory": run.directory,
        "params": {key: params.get(key) for key in differing},
        "metrics": run.metrics,
    }


def read_params(run: RunInfo) -> dict[str, str]:
    """Return the params of a run: its whole config, and what else it has logged.

    Tracking has only the params that a person reads. The config is in the run's directory; a
    run whose directory no longer exists is compared by its logged params.
    """
    from framesweep.config.composition import CONFIG_FILE, load
    from framesweep.config.plain import flatten
    from framesweep.errors import UserError
    from framesweep.sweeps.context import SWEPT_PREFIX
    from framesweep.tracking import format_param

    logged = {k: v for k, v in run.params.items() if not k.startswith(SWEPT_PREFIX)}
    path = run.directory / CONFIG_FILE
    try:
        config = load(path.read_text(encoding="utf-8"), [], path)
    except (OSError, ValueError, UserError):
        return logged
    # The config comes second: unlike a param in tracking, it changes when a run is resumed.
    return logged | {key: format_param(value) for key, value in flatten(config).items()}


def select_differing(columns: Sequence[Mapping[str, str]]) -> list[list[str]]:
    """Return the rows of `build_rows` whose values are not all equal."""
    return [row for row in build_rows(columns) if len(set(row[1:])) > 1]


def build_rows(columns: Sequence[Mapping[str, str]]) -> list[list[str]]:
    """Return a row for each key: the key and its value in each column."""
    keys = sorted({key for column in columns for key in column})
    return [[key, *(column.get(key, ABSENT) for column in columns)] for key in keys]


def align(rows: Sequence[Sequence[str]], width: int | None = None) -> list[str]:
    """Return rows as lines with aligned columns; cells that are too wide are cut.

    Columns that do not fit `width`, the columns of the terminal, follow in another block of
    lines, which begins with the keys as well.
    """
    cells = [[cut(cell, MAX_WIDTH) for cell in row] for row in rows]
    num_columns = max(map(len, cells))
    widths = [max(len(row[i]) for row in cells if i < len(row)) for i in range(num_columns)]
    lines: list[str] = []
    for block in _split_columns(widths, width):
        lines += [""] if lines else []
        for row in cells:
            shown = (f"{row[i]:{widths[i]}}" for i in block if i < len(row))
            lines.append("  ".join(shown).rstrip())
    return lines


def _split_columns(widths: Sequence[int], width: int | None) -> list[list[int]]:
    """Return the indices of the columns of each block: the keys, and the runs that fit."""
    blocks = [[0]]
    for i, size in enumerate(widths[1:], start=1):
        used = sum(widths[j] + len("  ") for j in blocks[-1])
        if width is not None and used + size > width and len(blocks[-1]) > 1:
            blocks.append([0])
        blocks[-1].append(i)
    return blocks
