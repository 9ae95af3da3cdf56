"""framesweep compare: what differs between runs, and how they did."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import click

from framesweep.commands.options import tracking_options

ABSENT = "-"
WIDEST = 40


@click.command("compare")
@click.argument("run_ids", metavar="RUN_ID...", nargs=-1, required=True)
@tracking_options
def command(run_ids: tuple[str, ...], uri: str | None, outputs: Path) -> None:
    """Print the params that differ between runs, beside their metrics."""
    from framesweep.sweeps.context import SWEPT_PREFIX
    from framesweep.tracking import load_run

    runs = [load_run(run_id, uri, outputs) for run_id in run_ids]
    params = [
        {k: v for k, v in r.params.items() if not k.startswith(SWEPT_PREFIX)} for r in runs
    ]
    metrics = [{k: f"{v:.6g}" for k, v in r.metrics.items()} for r in runs]
    rows = [["run", *(run.run_id[:8] for run in runs)], ["name", *(run.name for run in runs)]]
    rows += differing(params)
    rows += [[], *table(metrics)]
    for line in aligned(rows):
        click.echo(line)


def differing(columns: Sequence[Mapping[str, str]]) -> list[list[str]]:
    """The rows of `table` whose values are not all the same."""
    return [row for row in table(columns) if len(set(row[1:])) > 1]


def table(columns: Sequence[Mapping[str, str]]) -> list[list[str]]:
    """A row for each key: the key, then each column's value."""
    keys = sorted({key for column in columns for key in column})
    return [[key, *(column.get(key, ABSENT) for column in columns)] for key in keys]


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines in columns; what is too wide is cut."""
    cut = [[c if len(c) <= WIDEST else c[: WIDEST - 1] + "…" for c in row] for row in rows]
    num_columns = max(map(len, cut))
    widths = [max(len(row[i]) for row in cut if i < len(row)) for i in range(num_columns)]
    return [
        "  ".join(f"{c:{w}}" for c, w in zip(row, widths, strict=False)).rstrip() for row in cut
    ]
