"""Describes a study to its parent run: in Markdown, and as params."""

from collections.abc import Iterator

from optuna.study import Study

from framesweep.sweeps.context import SWEPT_PREFIX, to_bare_key
from framesweep.sweeps.notes import Entry, build_note
from framesweep.sweeps.studies import describe_changes
from framesweep.sweeps.tables import (
    build_train_command,
    describe_states,
    find_pareto_front,
    get_objective_names,
    rank_trials,
    track_best_value,
)
from hydra_plugins.framesweep_sweeper.search._study_identity import EXTENDS, list_extended


def build_study_note(study: Study) -> str:
    """Return the description of a study as its MLflow parent shows it."""
    is_front = len(study.directions) > 1
    trials = find_pareto_front(study) if is_front else rank_trials(study)
    names = get_objective_names(study)
    entries = [
        Entry(
            f"trial {trial.number}", dict(zip(names, trial.values, strict=True)), trial.params
        )
        for trial in trials
    ]
    command = build_train_command(trials[0]) if trials else None
    summary = " ".join([summarize_study(study), *_describe_extended(study)])
    return build_note(summary, entries, command, is_front=is_front)


def _describe_extended(study: Study) -> Iterator[str]:
    """Yield on each study that a study extends what has changed since, and its best value."""
    following = study
    for earlier in list_extended(study):
        best = track_best_value(earlier)[-1:] if len(earlier.directions) == 1 else []
        value = f" Its best {get_objective_names(earlier)[0]} is {best[0]:.6g}." if best else ""
        changes = describe_changes(following)
        yield f"It extends an earlier one ({changes}). {summarize_study(earlier)}{value}"
        following = earlier


def summarize_study(study: Study) -> str:
    """Return one line: the study's name, its objectives, and its trials by state."""
    goals = " and ".join(
        f"{direction.name.lower()} {name}"
        for name, direction in zip(get_objective_names(study), study.directions, strict=True)
    )
    return f"Study {study.study_name} ({goals}): {describe_states(study)}."


def winner_params(study: Study) -> dict[str, object]:
    """Return the best trial's values, under the names that the trials' runs have for them.

    Return {} if no trial has completed, and for a Pareto front, which has no winner.
    """
    best = rank_trials(study)[:1] if len(study.directions) == 1 else []
    return {
        f"{SWEPT_PREFIX}{to_bare_key(key)}": value
        for trial in best
        for key, value in trial.params.items()
    }


def search_params(study: Study, objective: str) -> dict[str, object]:
    """Return the params of the parent of a search.

    MLflow never changes a param. So the parent of a study that extends others keeps those of
    the first, and gets one more, which lists the changes.
    """
    if EXTENDS in study.user_attrs:
        return {f"extended/{study.study_name}": describe_changes(study)}
    space, fixed = study.user_attrs["search_space"], study.user_attrs["fixed_overrides"]
    return {
        "objective": objective,
        **{f"search/{to_bare_key(key)}": value for key, value in space.items()},
        **{to_bare_key(key): value for key, value in fixed.items()},
    }
