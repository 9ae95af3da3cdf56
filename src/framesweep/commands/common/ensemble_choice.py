"""What `framesweep best --ensemble` does: choose runs on dev, and predict with their mean."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from framesweep.commands.common.ensemble_options import EnsembleOptions
from framesweep.commands.common.options import find_directories, load_runs, unknown_name_error
from framesweep.commands.common.output import echo_json, layout_table, terminal_width
from framesweep.commands.common.prediction_options import WrittenPredictions, write_predictions
from framesweep.config.command_line import outputs_options
from framesweep.config.shell_words import join_command
from framesweep.credentials import printable
from framesweep.errors import TrackingError

if TYPE_CHECKING:
    from framesweep.runs.ensembles.library import Selection


def choose_ensemble(options: EnsembleOptions, *, as_json: bool) -> None:
    """Choose an ensemble, print its members, and write its predictions if they are wanted.

    Raises:
        ConfigError: no candidate has few enough parameters.
        DataError: candidates differ in their phones, their dev split or their corpus.
        TrackingError: a name is neither a study nor a run, or there are no finished runs.
    """
    from framesweep.runs.ensembles.library import select_runs

    directories = _find_candidates(options)
    selection = select_runs(
        directories,
        options.overrides,
        options.max_params,
        options.outputs,
        report=lambda line: click.echo(printable(line), err=True),
    )
    written = None if options.out is None else _write(selection, options, options.out)
    if as_json:
        echo_json(_to_dict(selection, options, written))
        return
    for line in _describe(selection, options):
        click.echo(printable(line))
    for line in () if written is None else (written.summary, *written.notes):
        click.echo(line)


def _find_candidates(options: EnsembleOptions) -> list[Path]:
    """Return the directories of the runs to choose from, each once."""
    if not options.names:
        return _find_best_runs(options)
    found = [path for name in options.names for path in _resolve(name, options)]
    return list(dict.fromkeys(found))


def _find_best_runs(options: EnsembleOptions) -> list[Path]:
    """Return the most accurate of the finished runs on the data of the newest one.

    A line says so, because those on other data would not be missed.
    """
    from framesweep.catalog import describe_run, rank_finished_runs

    ranked = rank_finished_runs(options.uri, options.outputs)
    newest = describe_run(max(ranked, key=lambda run: run.start))
    line = f"finished runs on the data of the newest one, {newest}: {len(ranked)}"
    click.echo(printable(line), err=True)
    return [run.directory for run in ranked][: options.top]


def _resolve(name: str, options: EnsembleOptions) -> list[Path]:
    """Return the directories of the best trials of a study, or that of a run."""
    from framesweep.runs.ensembles.predictions import has_model
    from framesweep.sweeps.studies import get_trial_directory, load_study, select_best_trials

    try:
        study = load_study(name, options.storage, options.outputs)
    except TrackingError as study_error:
        try:
            return find_directories([name], options.uri, options.outputs)
        except TrackingError as run_error:
            raise unknown_name_error("ensemble", name, study_error, run_error) from None
    directories = [
        get_trial_directory(study, trial, options.outputs)
        for trial in select_best_trials(study, len(study.trials))
    ]
    finished = [path for path in directories if has_model(path)]
    if not finished:
        fix = f"Has {options.outputs} been moved? Use --outputs."
        rule = "must have a trial whose trained network still exists"
        raise TrackingError(f"study {name}", rule, fix=fix)
    return finished[: options.top]


def _write(selection: Selection, options: EnsembleOptions, out: Path) -> WrittenPredictions:
    names = [str(member.directory) for member in selection.repeat_members()]
    runs = load_runs(names, options.uri, options.outputs, options.overrides)
    return write_predictions(
        runs,
        out,
        split=options.split,
        file_format=options.file_format,
        labels=options.labels,
        smooth=options.smooth,
    )


def _describe(selection: Selection, options: EnsembleOptions) -> list[str]:
    """Return the table of members, the accuracy, and the command that predicts with them."""
    rows = [
        [
            member.name,
            str(member.weight),
            f"{member.num_params:,}",
            f"{member.accuracy:.4f}",
            f"{member.gain if number else member.gain - member.accuracy:+.4f}",
        ]
        for number, member in enumerate(selection.members)
    ]
    header = ["run", "weight", "parameters", "alone", "gain"]
    right = "weight parameters alone gain"
    lines = layout_table(header, rows, terminal_width(), right=right)
    lines.append(
        f"dev/accuracy {selection.accuracy:.4f} with {selection.num_params:,} parameters; "
        f"the best of {selection.num_candidates} alone has {selection.best_alone:.4f}"
    )
    if selection.held_out is not None:
        lines.append(f"chosen on one half of dev, on the other half: {selection.held_out:.4f}")
    return [*lines, f"\npredict with it:\n  {_build_command(selection, options)}"]


def _build_command(selection: Selection, options: EnsembleOptions) -> str:
    """Return the command that predicts with the ensemble, quoted for a shell."""
    words = ["framesweep", "predict", *(member.name for member in selection.repeat_members())]
    words += outputs_options(options.outputs)
    for override in options.overrides:
        words += ["--set", override]
    return join_command(words)


def _to_dict(
    selection: Selection, options: EnsembleOptions, written: WrittenPredictions | None
) -> dict[str, Any]:
    return {
        "members": [
            {
                "run": member.name,
                "directory": member.directory,
                "weight": member.weight,
                "parameters": member.num_params,
                "accuracy": member.accuracy,
                "gain": member.gain,
            }
            for member in selection.members
        ],
        "accuracy": selection.accuracy,
        "held_out_accuracy": selection.held_out,
        "best_alone": selection.best_alone,
        "parameters": selection.num_params,
        "candidates": selection.num_candidates,
        "command": _build_command(selection, options),
        "file": None if written is None else written.file,
        "notes": [] if written is None else written.notes,
    }
