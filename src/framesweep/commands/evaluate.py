"""framesweep evaluate: print the metrics of a run, or of an ensemble, on a split."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from framesweep.commands.common.options import load_runs, run_options
from framesweep.commands.common.output import echo_json, json_option

if TYPE_CHECKING:
    from framesweep.data.store.frame_store import FrameStore


@click.command()
@click.argument("run_ids", metavar="RUN_ID...", nargs=-1, required=True)
@click.option(
    "--split", help="Split to evaluate on.  [default: test, or dev if test has no labels]"
)
@click.option(
    "--report",
    type=click.Path(path_type=Path, file_okay=False),
    help="Also write the confusion matrix and the scores of each phone to this directory.",
)
@click.option("--smooth", is_flag=True, help="Also evaluate predictions smoothed with Viterbi.")
@json_option
@run_options
def command(
    run_ids: tuple[str, ...],
    *,
    split: str | None,
    report: Path | None,
    smooth: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Evaluate a run on a labelled split. Several runs are evaluated as an ensemble."""
    from framesweep.evaluation.smoothed_metrics import measure_smoothed
    from framesweep.runs.ensembles.predictions import evaluate_runs, predict_smoothed

    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    runs = load_runs(run_ids, **options)
    store = runs[0].store
    split = split or choose_split(store)
    evaluation = evaluate_runs(runs, split)
    metrics = evaluation.metrics()
    if smooth:
        smoothed = predict_smoothed(runs, split)
        metrics |= measure_smoothed(smoothed, store.splits[split], store.phones)
    files: list[Path] = []
    if report is not None:
        from framesweep.evaluation.report import write_report  # which imports matplotlib

        files = write_report(report, [], evaluation.confusion, store.phones)
    if as_json:
        directories = [run.directory for run in runs]
        echo_json({"split": split, "runs": directories, "metrics": metrics, "files": files})
        return
    width = max(map(len, metrics))
    for name, value in metrics.items():
        click.echo(f"{name:{width}} {value:.4f}")
    for path in files:
        click.echo(path)


def choose_split(store: FrameStore) -> str:
    """Return test, or dev if the corpus withholds the labels of test, which a line says.

    Raises:
        DataError: if neither has labels.
    """
    from framesweep.errors import DataError

    labelled = [name for name, split in store.splits.items() if split.labels is not None]
    if "test" in labelled:
        return "test"
    if "dev" not in labelled:
        rule = "must have labels of test or dev to be evaluated"
        raise DataError(store.name, rule, fix="Use framesweep predict, which needs none.")
    reason = "has no labels" if "test" in store.splits else "does not exist"
    click.echo(f"split: dev, because test {reason}", err=True)
    return "dev"
