"""framesweep evaluate: the metrics of a run, or of several averaged, on a split."""

from pathlib import Path
from typing import Any

import click

from framesweep.commands.options import load_runs, run_options


@click.command()
@click.argument("run_ids", metavar="RUN_ID...", nargs=-1, required=True)
@click.option("--split", default="test", show_default=True, help="Split with labels.")
@click.option(
    "--report",
    type=click.Path(path_type=Path, file_okay=False),
    help="Also write the confusion matrix and per-phone scores into this folder.",
)
@click.option("--smooth", is_flag=True, help="Also measure smoothed predictions (Viterbi).")
@run_options
def command(
    run_ids: tuple[str, ...], split: str, report: Path | None, smooth: bool, **options: Any
) -> None:
    """Measure a run on a split that has labels, or several runs averaged."""
    from framesweep.evaluation.report import write_report
    from framesweep.runs.ensemble import evaluate_runs, smoothed

    runs = load_runs(run_ids, **options)
    store = runs[0].store
    evaluation = evaluate_runs(runs, split)
    metrics = evaluation.metrics()
    if smooth:
        labels = store.splits[split].labels
        metrics[f"{split}/smoothed_accuracy"] = float((smoothed(runs, split) == labels).mean())
    for name, value in metrics.items():
        click.echo(f"{name:24} {value:.4f}")
    if report is not None:
        for path in write_report(report, [], evaluation.confusion, store.phones):
            click.echo(path)
