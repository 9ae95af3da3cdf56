"""framesweep evaluate: print the metrics of a run, or of an ensemble, on a split."""

from pathlib import Path
from typing import Any

import click

from framesweep.commands.options import load_runs, run_options


@click.command()
@click.argument("run_ids", metavar="RUN_ID...", nargs=-1, required=True)
@click.option("--split", default="test", show_default=True, help="Split to evaluate on.")
@click.option(
    "--report",
    type=click.Path(path_type=Path, file_okay=False),
    help="Also write the confusion matrix and the scores of each phone to this directory.",
)
@click.option("--smooth", is_flag=True, help="Also evaluate predictions smoothed with Viterbi.")
@run_options
def command(
    run_ids: tuple[str, ...], split: str, report: Path | None, smooth: bool, **options: Any
) -> None:
    """Evaluate a run on a labelled split. Several runs are evaluated as an ensemble."""
    from framesweep.evaluation.smoothed_metrics import measure_smoothed
    from framesweep.runs.ensemble import evaluate_runs, predict_smoothed

    runs = load_runs(run_ids, **options)
    store = runs[0].store
    evaluation = evaluate_runs(runs, split)
    metrics = evaluation.metrics()
    if smooth:
        smoothed = predict_smoothed(runs, split)
        metrics |= measure_smoothed(smoothed, store.splits[split], store.phones)
    for name, value in metrics.items():
        click.echo(f"{name:34} {value:.4f}")
    if report is not None:
        from framesweep.evaluation.report import write_report  # which imports matplotlib

        for path in write_report(report, [], evaluation.confusion, store.phones):
            click.echo(path)
