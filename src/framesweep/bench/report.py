"""Results of measurements as a table."""

from collections.abc import Iterable
from typing import Any

from rich import box
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
    words, numbers = ("", "model", ""), ("ctx", "frames/s", *COLUMNS.values())
    table = _table("Throughput, and times as fast as ...", words, numbers)
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


def start_table(results: Iterable[dict[str, Any]]) -> Table:
    """Seconds to the first step, and of each later one, of runs by their size."""
    numbers = ("frames", "imports s", "then step 1", "cold", "a step ms")
    table = _table("Start, seconds", ("store",), numbers)
    for result in results:
        table.add_row(
            result["dtype"],
            f"{result['frames']:,}",
            f"{result['imports']:.2f}",
            f"{result['first step beyond imports']:.2f}",
            f"{result['first step, cold']:.1f}",
            f"{1000 * result['seconds a step']:.0f}",
        )
    return table


def memory_table(results: Iterable[dict[str, Any]]) -> Table:
    """Bytes of runs by their size, and peaks over train's features in float32."""
    numbers = ("frames", "imports", "own", "peak", "/features", "-imports", "cold")
    table = _table("Memory, MB", ("store",), numbers)
    for result in results:
        held = [result["memory"].get(key, 0) for key in ("imports", "own", "peak")]
        table.add_row(
            result["dtype"],
            f"{result['frames']:,}",
            *(f"{size / 1e6:,.0f}" for size in held),
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
    numbers = ("workers", "threads each", "trials", "trials/hour", "pause s")
    table = _table("Sweep", (), numbers)
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
    words = ("model", "context", "", "modules", "epochs", "each seed")
    table = _table("Dev accuracy", words, ("mean", "sd"))
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
    table = _table(f"The same {result['trials']} trials", ("",), ("stock", "framesweep"))
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


def _table(title: str, words: Iterable[str], numbers: Iterable[str]) -> Table:
    """A table narrow enough for a terminal, with columns of words before those of numbers."""
    table = Table(
        title=title,
        title_justify="left",
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        pad_edge=False,
    )
    for heading in words:
        table.add_column(heading, no_wrap=True)
    for heading in numbers:
        table.add_column(heading, justify="right", no_wrap=True)
    return table
