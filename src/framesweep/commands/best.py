"""framesweep best: print the best trials of a study and how to train them again."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from framesweep.commands.common.ensemble_choice import choose_ensemble
from framesweep.commands.common.ensemble_options import (
    NUM_CANDIDATES,
    EnsembleOptions,
    ensemble_options,
    refuse_ensemble_options,
)
from framesweep.commands.common.options import is_given, refuse_options, tracking_options
from framesweep.commands.common.output import (
    echo_json,
    json_option,
    layout_table,
    terminal_width,
)
from framesweep.commands.common.seed_comparison import compare_over_seeds
from framesweep.config.command_line import outputs_options
from framesweep.config.rules import require_model_name
from framesweep.config.shell_words import join_command
from framesweep.credentials import printable
from framesweep.errors import ConfigError, TrackingError

if TYPE_CHECKING:
    from optuna.study import Study
    from optuna.trial import FrozenTrial

INDENT = 12
"""Columns before the params of a trial that continue in another line."""


@click.command("best")
@click.argument("names", metavar="[STUDY]...", nargs=-1)
@click.option(
    "--top",
    default=3,
    type=click.IntRange(min=1),
    help="Number of trials to print; with --ensemble, number of trials of each study to choose "
    f"from.  [default: 3, with --ensemble {NUM_CANDIDATES}]",
)
@click.option(
    "--seeds",
    default=0,
    type=click.IntRange(min=0),
    help="Train each of these trials again with this many seeds and compare the means.",
)
@click.option(
    "--register",
    metavar="NAME",
    help="Register the winner's model in MLflow's model registry, with the alias best.",
)
@click.option("--storage", help="Storage of the study.  [default: outputs/studies.db]")
@ensemble_options
@json_option
@tracking_options
@click.pass_context
def command(
    context: click.Context,
    /,
    *,
    names: tuple[str, ...],
    ensemble: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Print the best trials of a study and the command that trains the best one again.

    STUDY is its name, or the folder of its sweep; without it, the studies are listed. With
    --ensemble, the trials of several studies, and runs by their RUN_ID, are candidates for an
    ensemble: those that raise its dev accuracy the most are added one after another, repeatedly
    if that is better. Their probabilities are averaged.
    """
    refuse_ensemble_options(context)
    if ensemble:
        refuse_options(context, "seeds", "register", rule="cannot be used with --ensemble")
        if not is_given(context, "top"):
            options["top"] = NUM_CANDIDATES
        choose_ensemble(EnsembleOptions.select(names, options), as_json=as_json)
        return
    if len(names) > 1:
        raise ConfigError("STUDY", "must be a single study without --ensemble", found=names)
    if not names:
        refuse_options(context, "top", "seeds", "register", rule="needs STUDY")
        _list_studies(options["storage"], options["outputs"], as_json=as_json)
        return
    _print_best(context, names[0], as_json=as_json)


def _print_best(context: click.Context, study_name: str, *, as_json: bool) -> None:
    from framesweep.sweeps.studies import load_study, select_pareto_front
    from framesweep.sweeps.tables import build_train_command

    outputs, uri, register, top, seeds = (
        context.params[name] for name in ("outputs", "uri", "register", "top", "seeds")
    )
    study = load_study(study_name, context.params["storage"], outputs)
    has_order = len(study.directions) == 1
    if not has_order:
        rule = "requires a study with a single objective"
        fix = "Remove it to print the Pareto front."
        refuse_options(context, "top", "seeds", "register", rule=rule, fix=fix)
    parent = None if register is None else _require_parent(study, register, outputs)
    trials = _select_trials(study, top, seeds) if has_order else select_pareto_front(study)
    echo = partial(_echo, err=as_json)
    echo(_describe_study(study))
    for trial in trials:
        echo(_describe_trial(trial, terminal_width()))
    best = trials[0] if has_order else None
    comparison = version = None
    if seeds and has_order:
        comparison = compare_over_seeds(study, trials, seeds, outputs, uri, echo)
        best = comparison.best
    if best is None:
        echo("These trials form the Pareto front. best.yaml has the command of each.")
    else:
        echo(f"\ntrain trial {best.number} again:\n  {build_train_command(best)}")
        if parent is not None:
            version = _register(study, best, parent, register, outputs, uri)
            names = f"models:/{register}/{version}, and as models:/{register}@best"
            echo(f"\ntrial {best.number} is registered as {names}")
    if as_json:
        added = {
            "seeds": None if comparison is None else comparison.to_dict(),
            "registered": None if version is None else {"name": register, "version": version},
        }
        echo_json(_to_dict(study, trials, best) | added)


def _select_trials(study: Study, top: int, seeds: int) -> list[FrozenTrial]:
    """Return the best trials; of those to be trained with several seeds, one per point."""
    from framesweep.sweeps.studies import select_best_trials

    return select_best_trials(study, top, ignore_seed=seeds > 0)


def _list_studies(storage: str | None, outputs: Path, *, as_json: bool) -> None:
    from framesweep.sweeps.studies import list_studies

    studies = list_studies(storage, outputs)
    if as_json:
        echo_json([asdict(one) for one in studies])
        return
    rows = [
        [
            one.started[:16].replace("T", " "),
            str(one.num_trials),
            "-" if one.best_value is None else f"{one.best_value:.4f}",
            one.name,
        ]
        for one in studies
    ]
    header = ["started", "trials", "best", "study"]
    for line in layout_table(header, rows, terminal_width(), right="trials best"):
        _echo(line)


def _to_dict(
    study: Study, trials: Sequence[FrozenTrial], best: FrozenTrial | None
) -> dict[str, Any]:
    from framesweep.sweeps.tables import build_train_command, count_states, get_objective_names

    return {
        "study": study.study_name,
        "objectives": get_objective_names(study),
        "counts": count_states(study),
        "trials": [
            {
                "number": trial.number,
                "values": trial.values,
                "params": trial.params,
                "command": build_train_command(trial),
            }
            for trial in trials
        ],
        "best": None if best is None else best.number,
    }


def _register(
    study: Study, trial: FrozenTrial, parent: str, name: str, outputs: Path, uri: str | None
) -> str:
    """Register the model of a trial, which becomes that of the study's parent run.

    Return the version.
    """
    from framesweep.catalog.directories import require_directory
    from framesweep.sweeps.studies import get_trial_directory
    from framesweep.tracking import register_winner

    directory = get_trial_directory(study, trial, outputs)
    require_directory(directory)
    return register_winner(uri, outputs, parent, directory, name)


def _require_parent(study: Study, name: str, outputs: Path) -> str:
    """Return the MLflow id of the parent run whose winner is to be registered as `name`.

    Raises:
        ConfigError: MLflow's model registry does not accept the name.
        TrackingError: the study has no parent run.
    """
    from framesweep.sweeps.context import PARENT_ATTR

    require_model_name("--register", name)
    parent = study.user_attrs.get(PARENT_ATTR)
    if parent is None:
        sync = join_command(["framesweep", "sync", *outputs_options(outputs)])
        raise TrackingError(
            f"study {study.study_name}",
            "must be tracked for its winner to be registered",
            fix=f"If tracking was unavailable, type {sync} first.",
        )
    return str(parent)


def _echo(text: str, *, err: bool = False) -> None:
    """Print a text with names and values of a study, which others may have written."""
    click.echo(printable(text), err=err)


def _describe_study(study: Study) -> str:
    from framesweep.sweeps.tables import describe_states

    return f"study {study.study_name}: {describe_states(study)}"


def _describe_trial(trial: FrozenTrial, width: int | None) -> str:
    """Return the values and params of a trial, wrapped at `width` columns if it is given."""
    from hydra_plugins.framesweep_sweeper.sweep._results import format_params

    values = " / ".join(f"{value:.6g}" for value in trial.values)
    text = f"  trial {trial.number:<4} {values}  {format_params(trial.params)}"
    if width is None:
        return text
    indent = " " * INDENT
    return textwrap.fill(text, width, subsequent_indent=indent, break_on_hyphens=False)
