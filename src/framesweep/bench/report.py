"""Results of measurements as a table."""

from collections.abc import Iterable
from typing import Any

from rich.table import Table

COLUMNS = {
    "products": "products",
    "plain step": "plain",
    "python loop, batch 64": "loop64",
    "python loop, batch 512": "loop512",
    "DataLoader, 2 workers": "workers",
}
"""Baselines that a throughput is set against, and how the table calls them."""


def throughput_table(results: Iterable[dict[str, Any]]) -> Table:
    """Frames/s, and times as fast as each baseline."""
    table = Table(title="Throughput, and times as fast as ...", title_justify="left")
    for heading in ("", "model", "", "context", "frames/s", *COLUMNS.values()):
        table.add_column(heading, justify="left" if heading in ("", "model") else "right")
    for result in results:
        ratio = result["ratio"]
        table.add_row(
            result["what"],
            result["model"],
            result["precision"],
            str(result["context"]),
            f"{result['frames_per_second'][result['what']]:,.0f}",
            *(f"{ratio[name]:.2f}" if name in ratio else "" for name in COLUMNS),
        )
    return table


def scale_table(results: Iterable[dict[str, Any]]) -> Table:
    """Start and memory of runs by their size; peaks also over train's features in float32."""
    table = Table(title="Start and memory", title_justify="left")
    headings = ("frames", "store", "imports", "then step 1", "cold", "a step")
    for heading in (*headings, "peak", "own", "/features", "less imports", "cold"):
        table.add_column(heading, justify="right")
    for result in results:
        memory = result["memory"]
        table.add_row(
            f"{result['frames']:,}",
            result["dtype"],
            f"{result['imports']:.2f} s",
            f"{result['first step beyond imports']:.2f} s",
            f"{result['first step, cold']:.1f} s",
            f"{1000 * result['seconds a step']:.0f} ms",
            *(f"{memory.get(key, 0) / 1e6:,.0f} MB" for key in ("peak", "own")),
            f"{result['peak over features']:.2f}",
            f"{result['peak beyond imports over features']:.2f}",
            f"{result['peak over features, cold']:.2f}",
        )
    return table


def epoch_line(result: dict[str, Any]) -> str:
    """What an epoch holds beside its steps."""
    return (
        f"An epoch of {result['frames']:,} frames ({result['model']}, {result['precision']}): "
        f"{result['share of evaluation']:.1%} evaluation, "
        f"{result['share of all else']:.1%} checkpoint, MLflow and all else "
        f"({result['seconds of all else']:.2f} s)."
    )


def sweep_table(results: Iterable[dict[str, Any]]) -> Table:
    """Trials an hour by workers, and the pause between two trials."""
    table = Table(title="Sweep", title_justify="left")
    for heading in ("workers", "threads each", "trials", "trials/hour", "pause s"):
        table.add_column(heading, justify="right")
    for result in results:
        table.add_row(
            str(result["n_jobs"]),
            str(result["threads"]),
            str(result["trials"]),
            f"{result['trials per hour']:,.0f}",
            f"{result['pause seconds']:.2f}",
        )
    return table


def accuracy_table(results: Iterable[dict[str, Any]]) -> Table:
    """Dev accuracy by precision and modules, over seeds."""
    table = Table(title="Dev accuracy", title_justify="left")
    for heading in ("", "modules", "epochs", "each seed", "mean", "deviation"):
        table.add_column(
            heading, justify="right" if heading in ("mean", "deviation") else "left"
        )
    for result in results:
        table.add_row(
            result["model"],
            str(result["context"]),
            result["precision"],
            result["modules"],
            str(result["epochs"]),
            " ".join(f"{value:.4f}" for value in result["dev/accuracy"]),
            f"{result['mean']:.4f}",
            f"{result['deviation']:.4f}",
        )
    return table


def search_table(result: dict[str, Any]) -> Table:
    """The same search with the stock sweeper and with framesweep's."""
    table = Table(title=f"The same {result['trials']} trials", title_justify="left")
    table.add_column("")
    for heading in ("stock", "framesweep"):
        table.add_column(heading, justify="right")
    for name, value in result["stock"].items():
        values = (value, result["framesweep"][name])
        table.add_row(name, *("never" if v is None else f"{v:.4g}" for v in values))
    table.add_row("times as fast", "", f"{result['ratio']:.2f}")
    return table


def first_layer_line(result: dict[str, Any]) -> str:
    """The gather of windows against a convolution, for the first layer."""
    return (
        f"First layer ({result['model']}, {result['precision']}, context {result['context']}): "
        f"gathered windows {result['ratio']['convolution']:.2f} times as fast as a convolution "
        "over utterances."
    )
