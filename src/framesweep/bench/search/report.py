"""The tables that `framesweep bench --search` prints."""

from collections.abc import Iterable
from typing import Any

from rich.table import Table

from framesweep.bench.report import build_table
from framesweep.bench.search.compare import REGRET_TRAININGS


def build_replay_tables(results: Iterable[dict[str, Any]]) -> tuple[Table, Table]:
    """Return tables of times and of regrets of the searches with one number of workers."""
    rows = list(results)
    title = f"Searches with {rows[0]['n_jobs']} worker(s)"
    times = build_table(
        f"{title}: time to the stock sweeper's best as a share of its time",
        ("search",),
        ("seeds", "time", "90 % range", "p90", "sooner", "pruned", "idle", "ms"),
    )
    regrets = build_table(
        f"{title}: regret in percentage points after a number of mean trainings",
        ("search",),
        tuple(f"{count} trainings" for count in REGRET_TRAININGS),
    )
    for row in rows:
        share = row["share"]
        times.add_row(
            row["search"],
            str(row["seeds"]),
            _format_share(share["median"]),
            f"{_format_share(share['p5'])}-{_format_share(share['p95'])}",
            _format_share(share["p90"]),
            "-" if row.get("sooner") is None else f"{row['sooner']:.0%}",
            f"{row['pruned']['median']:.0%}",
            f"{row['idle']['median']:.0%}",
            f"{1000 * row['seconds per trial']['median']:.0f}",
        )
        found = [_format_regret(row[f"regret {count}"]) for count in REGRET_TRAININGS]
        regrets.add_row(row["search"], *found)
    return times, regrets


def explain_columns() -> str:
    """Return what the columns mean."""
    *first, last = map(str, REGRET_TRAININGS)
    counts = f"{', '.join(first)} and {last}"
    return (
        "time: median; >1 means not in the stock sweeper's time. sooner: share of the seeds in "
        "which it is there before framesweep; equal times count half. ms: CPU time of the "
        "search itself per trial. regret: how far the best finished trial is below the best "
        f"training, median and 90 % range, after the time of {counts} mean trainings divided "
        "among the workers."
    )


def _format_share(value: float | None) -> str:
    return ">1" if value is None else f"{value:.2f}"


def _format_regret(quantiles: dict[str, float]) -> str:
    low, middle, high = (100 * quantiles[name] for name in ("p5", "median", "p95"))
    return f"{middle:.1f} ({low:.1f}-{high:.1f})"
