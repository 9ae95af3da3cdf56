"""Options that several commands share."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click
from click.core import ParameterSource

from framesweep.config.paths import default_outputs
from framesweep.credentials import printable
from framesweep.errors import ConfigError, TrackingError

if TYPE_CHECKING:
    from framesweep.runs.ensembles.predictions import TrainedRun


def tracking_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add --uri and --outputs to a command: where runs are looked up."""
    for option in (
        click.option(
            "--uri",
            help="Tracking URI.  [default: FRAMESWEEP_TRACKING_URI or outputs/mlflow.db]",
        ),
        click.option(
            "--outputs",
            type=click.Path(path_type=Path, file_okay=False),
            default=default_outputs,
            callback=_expand_outputs,
            help="Directory of the runs.  [default: FRAMESWEEP_OUTPUTS or outputs]",
        ),
    ):
        function = option(function)
    return function


def _expand_outputs(context: click.Context, option: click.Parameter, path: Path) -> Path:
    """Return the path of --outputs without `~`; click has refused it if it is a file itself."""
    path = path.expanduser()
    for folder in path.parents:
        if os.path.isfile(folder):  # noqa: PTH113 - unlike Path's, it never raises
            raise click.BadParameter(f"Directory '{path}' is below a file, '{folder}'.")
    return path


def run_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add --uri, --outputs and --set, which changes keys of the config of a run."""
    function = click.option(
        "--set",
        "overrides",
        metavar="KEY=VALUE",
        multiple=True,
        help="Change a key of the config of the run, as data.root=/elsewhere. Repeatable.",
    )(function)
    return tracking_options(function)


def load_runs(
    run_ids: Sequence[str], uri: str | None, outputs: Path, overrides: Sequence[str]
) -> list[TrainedRun]:
    """Return the trained runs that `find_directories` finds.

    A run that is named twice is loaded once, and returned twice.

    Raises:
        TrackingError: if a run does not exist, or if several match.
    """
    from framesweep.runs.ensembles.predictions import load_trained_run

    directories = find_directories(run_ids, uri, outputs)
    loaded = {path: load_trained_run(path, overrides) for path in dict.fromkeys(directories)}
    return [loaded[path] for path in directories]


def find_directories(run_ids: Sequence[str], uri: str | None, outputs: Path) -> list[Path]:
    """Return the directories of runs: by ids, names or directories, or `last`, or `best`.

    A line on the standard error says which run `last` or `best` is.

    Raises:
        TrackingError: if a run does not exist, or if several match.
    """
    from framesweep.catalog import describe_run, is_word, resolve_run
    from framesweep.tracking import find_run_directory

    directories = []
    for run_id in run_ids:
        # The word is looked up once, because another run may become the last one meanwhile.
        run = resolve_run(run_id, uri, outputs) if is_word(run_id) else None
        name = run_id if run is None else str(run.directory)
        try:
            directories.append(find_run_directory(name, uri, outputs))
        except TrackingError as error:
            _refuse_override(run_id, error)
        if run is not None:
            click.echo(printable(f"{run_id}: {describe_run(run)}"), err=True)
    return directories


def _refuse_override(run_id: str, error: TrackingError) -> NoReturn:
    """Raise the error of a run that does not exist; of KEY=VALUE, with the option for it."""
    context = click.get_current_context(silent=True)
    can_set = context is not None and "overrides" in context.params
    if can_set and re.fullmatch(r"[\w.]+=\S*", run_id):
        fix = f"To change a key, pass --set {run_id}."
        rule = "must be the id or the name of a run"
        raise TrackingError("run", rule, found=run_id, fix=fix) from None
    raise error


def is_given(context: click.Context, name: str) -> bool:
    """Return whether a parameter was typed."""
    return context.get_parameter_source(name) is not ParameterSource.DEFAULT


def refuse_options(context: click.Context, *names: str, rule: str, fix: str = "") -> None:
    """Raise ConfigError if one of these parameters of a command was typed."""
    for parameter in context.command.params:
        name = parameter.name or ""
        if name in names and is_given(context, name):
            found = context.params[name]
            raise ConfigError(parameter.opts[0], rule, found=found, fix=fix)


def unknown_name_error(
    where: str, name: str, study_error: TrackingError, run_error: TrackingError
) -> TrackingError:
    """Return the error for a name that no study and no run has, with both reasons."""
    fix = f"As a study, {_describe_rule(study_error)} As a run, {_describe_rule(run_error)}"
    return TrackingError(where, "must be a study or a run", found=name, fix=fix.rstrip())


def _describe_rule(error: TrackingError) -> str:
    what = "it" if error.where in ("study", "run") else error.where
    return f"{what} {error.rule}. {error.fix}".rstrip()
