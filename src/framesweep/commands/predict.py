"""framesweep predict: write the predicted phone of each frame of a split as CSV."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from framesweep.commands.options import load_runs, run_options

if TYPE_CHECKING:
    from framesweep.runs.ensemble import TrainedRun


@click.command()
@click.argument("run_ids", metavar="[RUN_ID]...", nargs=-1)
@click.option("--study", help="Use the best trials of this study instead of RUN_ID.")
@click.option(
    "--top",
    default=3,
    show_default=True,
    type=click.IntRange(min=1),
    help="With --study, number of trials.",
)
@click.option(
    "--max-params",
    type=float,
    help="With --study, limit of the total number of parameters; a trial that would exceed it "
    "is skipped.",
)
@click.option("--storage", help="Storage of the study.  [default: outputs/studies.db]")
@click.option("--split", default="test", show_default=True, help="Split to predict.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("submission.csv"),
    show_default=True,
    help="File to write.",
)
@click.option(
    "--labels",
    type=click.Choice(["id", "phone"]),
    default="id",
    show_default=True,
    help="Write the id or the name of a phone.",
)
@click.option(
    "--smooth",
    is_flag=True,
    help="Smooth the predictions with Viterbi, weighted to suit dev.",
)
@run_options
def command(
    run_ids: tuple[str, ...],
    study: str | None,
    top: int,
    max_params: float | None,
    storage: str | None,
    split: str,
    out: Path,
    labels: str,
    smooth: bool,
    **options: Any,
) -> None:
    """Write the predictions of a run as CSV with the columns id and label.

    The id numbers the frames of all utterances of the split in order, from 0. Several runs form
    an ensemble, whose probabilities are averaged.
    """
    from framesweep.runs.ensemble import average_posteriors, predict_smoothed
    from framesweep.system.atomic_files import atomic_file

    if bool(run_ids) == bool(study):
        raise click.UsageError("Give either RUN_ID or --study.")
    if study:
        runs = _load_best_trials(study, storage, top, max_params, **options)
    else:
        runs = load_runs(run_ids, **options)
    if smooth:
        predictions = predict_smoothed(runs, split).tolist()
    else:
        predictions = average_posteriors(runs, split).argmax(dim=1).tolist()
    names = runs[0].store.phones.names
    with atomic_file(out) as temporary, temporary.open("w", newline="") as handle:
        writer = csv.writer(handle)
        writer.writerow(["id", "label"])
        writer.writerows(
            (index, names[label] if labels == "phone" else label)
            for index, label in enumerate(predictions)
        )
    click.echo(f"{len(predictions):,} frames of {split} written to {out}")


def _load_best_trials(
    study_name: str,
    storage: str | None,
    top: int,
    max_params: float | None,
    *,
    outputs: Path,
    overrides: tuple[str, ...],
    **_: Any,
) -> list[TrainedRun]:
    """Return the trained runs of the best trials of a study, the best first."""
    from framesweep.errors import ConfigError
    from framesweep.runs.ensemble import load_trained_run
    from framesweep.sweeps.studies import get_trial_directory, load_study, select_best_trials

    study = load_study(study_name, storage, outputs)
    chosen: list[TrainedRun] = []
    budget = float("inf") if max_params is None else max_params
    for trial in select_best_trials(study, len(study.trials)):
        run = load_trained_run(get_trial_directory(study, trial, outputs), overrides)
        num_params = sum(parameter.numel() for parameter in run.model.parameters())
        if num_params <= budget:
            click.echo(f"trial {trial.number}: {num_params:,} parameters")
            chosen.append(run)
            budget -= num_params
        if len(chosen) == top:
            break
    if not chosen:
        raise ConfigError(
            "--max-params", "must be large enough for at least one trial", found=max_params
        )
    return chosen
