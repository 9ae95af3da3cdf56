"""Prints the results of measurements for people to read."""

from typing import Any

from rich.console import Console

from framesweep.bench import report
from framesweep.bench.search import report as search_report


def print_tables(console: Console, results: list[dict[str, Any]]) -> None:
    """Print a table or a sentence on the results of each kind that there are."""
    groups = {
        report.build_throughput_table: ("train", "evaluate", "predict"),
        report.build_start_table: ("scale",),
        report.build_memory_table: ("scale",),
        report.build_sweep_table: ("sweep",),
        report.build_accuracy_table: ("accuracy",),
    }
    for table, kinds in groups.items():
        rows = [result for result in results if result["what"] in kinds]
        if rows:
            console.print(table(rows), end="\n\n")
    _show_replays(console, [result for result in results if result["what"] == "replay"])
    sentences = {
        "first layer": report.describe_first_layer,
        "preparation": report.describe_preparation,
        "sound": report.describe_sound,
        "search": report.build_search_table,
        "epoch": report.describe_epoch,
        "help": report.describe_help,
    }
    for result in results:
        if describe := sentences.get(result["what"]):
            console.print(describe(result))


def _show_replays(console: Console, results: list[dict[str, Any]]) -> None:
    for n_jobs in dict.fromkeys(result["n_jobs"] for result in results):
        rows = [result for result in results if result["n_jobs"] == n_jobs]
        for table in search_report.build_replay_tables(rows):
            console.print(table, end="\n\n")
    if results:
        console.print(search_report.explain_columns())
