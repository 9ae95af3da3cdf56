"""The tables that `framesweep bench --search` prints."""

from collections.abc import Iterable
from typing import Any

from rich import box
from rich.table import Table

from framesweep.bench.search.compare import REGRET_TRAININGS


def build_replay_table(results: Iterable[dict[str, Any]]) -> Table:
    """Return a table of the searches with one number of workers."""
    rows = list(results)
    table = Table(
        title=f"Searches with {rows[0]['n_jobs']} worker(s), "
        "time to the stock sweeper's best as a share of its time",
        title_justify="left",
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        pad_edge=False,
    )
    table.add_column("search", no_wrap=True)
    regrets = [f"regret {count}" for count in REGRET_TRAININGS]
    headings = ("seeds", "time", "90 % range", "p90", "sooner", *regrets)
    for heading in (*headings, "pruned", "idle", "ms"):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in rows:
        share = row["share"]
        table.add_row(
            row["search"],
            str(row["seeds"]),
            _format_share(share["median"]),
            f"{_format_share(share['p5'])}-{_format_share(share['p95'])}",
            _format_share(share["p90"]),
            "-" if row.get("sooner") is None else f"{row['sooner']:.0%}",
            *(_format_regret(row[name]) for name in regrets),
            f"{row['pruned']['median']:.0%}",
            f"{row['idle']['median']:.0%}",
            f"{1000 * row['seconds per trial']['median']:.0f}",
        )
    return table


def explain_columns() -> str:
    """Return what the columns mean."""
    counts = " and ".join(map(str, REGRET_TRAININGS))
    return (
        "time: median; >1 means not in the stock sweeper's time. sooner: share of the seeds in "
        "which it is there before framesweep; equal times count half. regret: percentage "
        f"points below the best training, median and 90 % range, after the time of {counts} "
        "mean trainings divided among the workers. ms: CPU time of the search itself per trial."
    )


def _format_share(value: float | None) -> str:
    return ">1" if value is None else f"{value:.2f}"


def _format_regret(quantiles: dict[str, float]) -> str:
    low, middle, high = (100 * quantiles[name] for name in ("p5", "median", "p95"))
    return f"{middle:.1f} ({low:.1f}-{high:.1f})"
