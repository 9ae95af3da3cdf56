"""Formats the results of measurements as tables and sentences."""

from collections.abc import Iterable
from typing import Any

from rich import box
from rich.table import Table

COLUMNS = {
    "matmul": "matmul",
    "plain step": "plain",
    "python loop, batch 64": "loop64",
    "python loop, batch 512": "loop512",
    "DataLoader, 2 workers": "workers",
}
"""Baselines of a throughput, and the headings of their columns.

`matmul` is the upper bound: the matrix multiplications alone.
"""


def build_throughput_table(results: Iterable[dict[str, Any]]) -> Table:
    """Return a table of frames/s and of their ratios to those of each baseline measured."""
    results = list(results)
    measured = [name for name in COLUMNS if any(name in r["ratio"] for r in results)]
    headings = [COLUMNS[name] for name in measured]
    words, numbers = ("", "model", ""), ("ctx", "batch", "frames/s", *headings)
    processor, threads = results[0]["processor"], results[0]["threads"]
    unit = "thread" if threads == 1 else "threads"
    title = f"Throughput on {processor}, {threads} {unit}"
    table = build_table(f"{title}, and its ratio to ...", words, numbers)
    for result in results:
        ratio = result["ratio"]
        table.add_row(
            result["what"],
            result["model"],
            result["precision"],
            str(result["context"]),
            str(result["batch_size"]) if result["what"] == "train" else "",
            f"{result['frames_per_second'][result['what']]:,.0f}",
            *(f"{ratio[name]:.2f}" if name in ratio else "" for name in measured),
        )
    return table


def build_start_table(results: Iterable[dict[str, Any]]) -> Table:
    """Return a table of the time to the first step and per later step, by corpus size."""
    numbers = ("frames", "imports s", "then step 1", "cold", "ms per step")
    table = build_table("Start, seconds", ("store",), numbers)
    for result in results:
        table.add_row(
            result["dtype"],
            f"{result['frames']:,}",
            f"{result['imports']:.2f}",
            f"{result['first step beyond imports']:.2f}",
            f"{result['first step, cold']:.1f}",
            f"{1000 * result['seconds per step']:.0f}",
        )
    return table


def build_memory_table(results: Iterable[dict[str, Any]]) -> Table:
    """Return a table of memory by corpus size, and of peaks relative to the features' size."""
    numbers = ("frames", "imports", "own", "peak", "/features", "-imports", "cold")
    table = build_table("Memory, MB", ("store",), numbers)
    for result in results:
        sizes = [result["memory"].get(key, 0) for key in ("imports", "own", "peak")]
        table.add_row(
            result["dtype"],
            f"{result['frames']:,}",
            *(f"{size / 1e6:,.0f}" for size in sizes),
            f"{result['peak over features']:.2f}",
            f"{result['peak beyond imports over features']:.2f}",
            f"{result['peak over features, cold']:.2f}",
        )
    return table


def describe_epoch(result: dict[str, Any]) -> str:
    """Return a sentence about what an epoch consists of in addition to its steps."""
    return (
        f"An epoch of {result['frames']:,} frames ({result['model']}, {result['precision']}): "
        f"{result['share of evaluation']:.1%} evaluation, "
        f"{result['share of the rest']:.1%} checkpoint, MLflow and the rest "
        f"({result['seconds of the rest']:.2f} s)."
    )


def describe_help(result: dict[str, Any]) -> str:
    """Return a sentence about the time until the help is shown."""
    return f"train --help: {result['seconds']:.2f} s"


def build_sweep_table(results: Iterable[dict[str, Any]]) -> Table:
    """Return a table of trials per hour and of the pause between trials, by workers."""
    numbers = ("workers", "threads each", "trials", "trials/hour", "pause s")
    table = build_table("Sweep", (), numbers)
    for result in results:
        table.add_row(
            str(result["n_jobs"]),
            str(result["threads"]),
            str(result["trials"]),
            f"{result['trials per hour']:,.0f}",
            f"{result['pause seconds']:.2f}",
        )
    return table


def build_accuracy_table(results: Iterable[dict[str, Any]]) -> Table:
    """Return a table of dev accuracies by precision and modules, over seeds."""
    words = ("model", "context", "", "modules", "epochs", "each seed")
    table = build_table("Dev accuracy", words, ("mean", "sd"))
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


def build_search_table(result: dict[str, Any]) -> Table:
    """Return a table that compares Hydra's own Optuna sweeper with framesweep's."""
    table = build_table(f"The same {result['trials']} trials", ("",), ("stock", "framesweep"))
    for name, value in result["stock"].items():
        values = (value, result["framesweep"][name])
        table.add_row(name, *("never" if v is None else f"{v:.4g}" for v in values))
    table.add_row("speed-up", "", f"{result['ratio']:.2f}")
    return table


def describe_first_layer(result: dict[str, Any]) -> str:
    """Return a sentence that compares gathered windows with a convolution."""
    return (
        f"First layer ({result['model']}, {result['precision']}, context {result['context']}): "
        f"gathered windows are {result['ratio']['convolution']:.2f} times as fast as a "
        "convolution over utterances."
    )


def describe_preparation(result: dict[str, Any]) -> str:
    """Return a sentence that compares preparing a corpus with a plain copy of its files."""
    speed, ratio = result["bytes_per_second"], result["ratio"]
    return (
        f"Preparing {result['frames']:,} frames on {result['processor']}: "
        f"{speed['prepare'] / 1e6:,.0f} MB/s of the corpus, {ratio['copy']:.2f} times as fast "
        f"as a plain copy of its files; {ratio['copy, bytes written']:.2f} times if the bytes "
        "that each writes are compared."
    )


def describe_sound(result: dict[str, Any]) -> str:
    """Return a sentence on the speed from audio files to features."""
    speeds = (f"{speed:,.0f} ({rate})" for rate, speed in result["times_real_time"].items())
    return f"From sound to log-mel features, times real time per core: {', '.join(speeds)}."


def build_table(title: str, words: Iterable[str], numbers: Iterable[str]) -> Table:
    """Return an empty table that fits a terminal, with columns of words and then of numbers."""
    table = Table(
        title=title,
        title_justify="left",
        box=box.SIMPLE_HEAD,
        show_edge=False,  # the columns of throughputs must fit 80 characters
        padding=0,  # the box separates columns by a space
        pad_edge=False,
    )
    for heading in words:
        table.add_column(heading, no_wrap=True)
    for heading in numbers:
        table.add_column(heading, justify="right", no_wrap=True)
    return table
