"""What the commands that predict a split share: how runs are chosen and labels are written."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from framesweep.commands.common.options import load_runs, refuse_options, run_options

if TYPE_CHECKING:
    from framesweep.runs.ensembles.predictions import TrainedRun


def writing_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add --smooth and --labels, which say what is written of predictions."""
    for option in (
        click.option(
            "--smooth",
            is_flag=True,
            help="Smooth the predictions with Viterbi, weighted to suit dev.",
        ),
        click.option(
            "--labels",
            type=click.Choice(["id", "phone"]),
            help="Write the id or the name of a phone.  [default: phone for "
            "data=hw1p2_folders, otherwise id; with a sample submission, as there]",
        ),
    ):
        function = option(function)
    return function


def file_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add --split and --format: what is predicted, and how the file looks."""
    for option in (
        click.option(
            "--format",
            "file_format",
            type=click.Choice(["csv", "kaggle"]),
            default="csv",
            show_default=True,
            help="kaggle takes the header and the kind of the labels from the sample "
            "submission in the folder of the corpus, and compares rows and ids with it.",
        ),
        click.option("--split", default="test", show_default=True, help="Split to predict."),
    ):
        function = option(function)
    return function


def prediction_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the arguments that choose runs or a study, and the options of `run_options`."""
    for option in (
        run_options,
        writing_options,
        click.option("--storage", help="Storage of the study.  [default: outputs/studies.db]"),
        click.option(
            "--max-params",
            type=float,
            help="With --study, limit of the total number of parameters; a trial that would "
            "exceed it is skipped.",
        ),
        click.option(
            "--top",
            default=3,
            show_default=True,
            type=click.IntRange(min=1),
            help="With --study, number of trials.",
        ),
        click.option("--study", help="Use the best trials of this study instead of RUN_ID."),
        click.argument("run_ids", metavar="[RUN_ID]...", nargs=-1),
    ):
        function = option(function)
    return function


def choose_runs(
    run_ids: tuple[str, ...],
    study: str | None,
    storage: str | None,
    top: int,
    max_params: float | None,
    **options: Any,
) -> list[TrainedRun]:
    """Return the trained runs with these ids, or of the best trials of a study.

    Raises:
        UsageError: both are given, or neither is.
        ConfigError: no trial of the study has few enough parameters.
        TrackingError: a run does not exist.
    """
    if bool(run_ids) == bool(study):
        raise click.UsageError("Give either RUN_ID or --study.")
    if study:
        return _load_best_trials(study, storage, top, max_params, **options)
    context = click.get_current_context()
    refuse_options(context, "top", "max_params", "storage", rule="needs --study")
    return load_runs(run_ids, **options)


@dataclass(frozen=True, slots=True)
class WrittenPredictions:
    """What `write_predictions` has written, as commands report it."""

    file: Path
    split: str
    num_frames: int
    notes: list[str]

    @property
    def summary(self) -> str:
        """One line that says what was written where."""
        return f"{self.num_frames:,} frames of {self.split} written to {self.file}"


def refuse_suffix(out: Path, suffix: str, command: str) -> None:
    """Raise ConfigError if the name of a file promises what another command writes."""
    if out.suffix.lower() == suffix:
        from framesweep.errors import ConfigError

        rule = f"must not end in {suffix}, which {command} writes"
        raise ConfigError("--out", rule, found=str(out))


def write_predictions(
    runs: list[TrainedRun],
    out: Path,
    *,
    split: str,
    file_format: str,
    labels: str | None,
    smooth: bool,
) -> WrittenPredictions:
    """Write the phone of each frame of a split as CSV; several runs form an ensemble.

    Raises:
        DataError: the corpus has no such split, or the sample submission does not fit it.
        ConfigError: the labels asked for are not those of the sample, or the run has no names;
            or the file is named as a zip file.
    """
    from framesweep.runs import submission
    from framesweep.system.atomic_files import write_text

    refuse_suffix(out, ".zip", "framesweep submit")
    first = runs[0]
    # Before the predictions, which may take minutes.
    sample = submission.find_checked_sample(first, split) if file_format == "kaggle" else None
    chosen = submission.choose_labels(first, sample, labels)
    predictions = predict_split(runs, split, smooth=smooth)
    header = submission.find_header(first.config)
    write_text(
        out,
        submission.format_csv(predictions, first.store.phones.names, chosen, sample, header),
    )
    notes = [submission.describe_labels(first, chosen)]
    if file_format == "kaggle":
        notes.append(submission.describe_check(first, sample))
    notes += submission.describe_limit(first)
    return WrittenPredictions(out, split, len(predictions), notes)


def predict_split(runs: list[TrainedRun], split: str, *, smooth: bool) -> list[int]:
    """Return the phone id of each frame of a split; several runs form an ensemble."""
    from framesweep.runs.ensembles.predictions import average_posteriors, predict_smoothed

    if smooth:
        smoothed: list[int] = predict_smoothed(runs, split).tolist()
        return smoothed
    predictions: list[int] = average_posteriors(runs, split).argmax(dim=1).tolist()
    return predictions


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
    from framesweep.runs.ensembles.predictions import count_params, load_trained_run
    from framesweep.sweeps.studies import get_trial_directory, load_study, select_best_trials

    study = load_study(study_name, storage, outputs)
    chosen: list[TrainedRun] = []
    budget = float("inf") if max_params is None else max_params
    for trial in select_best_trials(study, len(study.trials)):
        run = load_trained_run(get_trial_directory(study, trial, outputs), overrides)
        num_params = count_params(run)
        if num_params <= budget:
            # Standard output may be JSON.
            click.echo(f"trial {trial.number}: {num_params:,} parameters", err=True)
            chosen.append(run)
            budget -= num_params
        if len(chosen) == top:
            break
    if not chosen:
        raise ConfigError(
            "--max-params", "must be large enough for at least one trial", found=max_params
        )
    return chosen
