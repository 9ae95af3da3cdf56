"""Writes the table of a study's trials and its best trials, and ranks trials."""

from collections.abc import Sequence
from pathlib import Path

import yaml
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial, TrialState

from framesweep.config.command_line import train_command
from framesweep.system.atomic_files import write_csv, write_text
from hydra_plugins.framesweep_sweeper.trials._constraints import (
    VIOLATED,
    is_feasible,
    is_rejected,
)
from hydra_plugins.framesweep_sweeper.trials._trial_attrs import (
    ATTEMPTS,
    DUPLICATE_OF,
    MESSAGE,
    REASON,
)

NOTES = (ATTEMPTS, REASON, MESSAGE, DUPLICATE_OF, VIOLATED)
"""Attributes of trials that get a column in the table; the sweeper sets them."""

STATES = (
    (TrialState.COMPLETE, "complete"),
    (TrialState.PRUNED, "pruned"),
    (TrialState.FAIL, "failed"),
)
"""States in which trials end, and the words for them."""


def write_table(study: Study, path: Path) -> None:
    """Write a CSV with one row per trial: number, state, values, seconds, notes and params."""
    trials = study.get_trials(deepcopy=False)
    keys = sorted({key for trial in trials for key in trial.params})
    values = get_objective_names(study)
    rows: list[list[object]] = [["number", "state", *values, "seconds", *NOTES, *keys]]
    for trial in trials:
        rows.append(
            [
                trial.number,
                trial.state.name,
                *(trial.values or [""] * len(values)),
                "" if trial.duration is None else f"{trial.duration.total_seconds():.1f}",
                *(trial.user_attrs.get(note, "") for note in NOTES),
                *(trial.params.get(key, "") for key in keys),
            ]
        )
    write_csv(path, rows)


def write_best(study: Study, directory: Path, path: Path) -> None:
    """Write the best trial, or the Pareto front, with the command that trains it again."""
    best = rank_trials(study)[:1] if len(study.directions) == 1 else find_pareto_front(study)
    entries = [
        {
            "trial": trial.number,
            **dict(zip(get_objective_names(study), trial.values, strict=True)),
            "params": trial.params,
            "directory": str(locate_trial(trial, directory)),
            "command": build_train_command(trial),
        }
        for trial in best
    ]
    write_text(path, yaml.safe_dump({"study": study.study_name, "best": entries}))


def locate_trial(trial: FrozenTrial, directory: Path) -> Path:
    """Return where a trial ran, of a study whose directory is given.

    Jobs of a grid record it, because hydra.sweep.subdir may give theirs any name.
    """
    return Path(trial.user_attrs.get("directory", directory / str(trial.number)))


def rank_trials(study: Study) -> list[FrozenTrial]:
    """Return the completed trials, the best by the first objective first.

    A trial that repeats the point of another is left out: it was not trained but has the
    other's value. So is one that violates a constraint. Equal trials are ordered by number.
    """
    done = _list_feasible(study)
    sign = -1 if study.directions[0] is StudyDirection.MAXIMIZE else 1
    return sorted(
        _remove_duplicates(done), key=lambda trial: (sign * trial.values[0], trial.number)
    )


def find_pareto_front(study: Study) -> list[FrozenTrial]:
    """Return the completed trials that no other dominates, without repeated points."""
    return _remove_duplicates([trial for trial in study.best_trials if is_feasible(trial)])


def _list_feasible(study: Study) -> list[FrozenTrial]:
    done = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    return [trial for trial in done if is_feasible(trial)]


def _remove_duplicates(trials: list[FrozenTrial]) -> list[FrozenTrial]:
    return [trial for trial in trials if DUPLICATE_OF not in trial.user_attrs]


def track_best_value(study: Study) -> list[float]:
    """Return the first objective's best value after each trial, in the order they completed."""
    done = _list_feasible(study)
    done.sort(key=lambda trial: (trial.datetime_complete, trial.number))
    better = max if study.directions[0] is StudyDirection.MAXIMIZE else min
    best: list[float] = []
    for trial in done:
        best.append(better([*best[-1:], trial.values[0]]))
    return best


def count_states(study: Study) -> dict[str, int]:
    """Return how many trials are complete, pruned, failed, and rejected without a training."""
    trials = study.get_trials(deepcopy=False)
    states = [trial.state for trial in trials if not is_rejected(trial)]
    counts = {word: states.count(state) for state, word in STATES}
    return counts | {"rejected": len(trials) - len(states)}


def describe_states(study: Study) -> str:
    """Return these numbers as text; that of rejected trials only if there are any."""
    counts = count_states(study)
    rejected = counts.pop("rejected")
    parts = [f"{count} {word}" for word, count in counts.items()]
    return ", ".join([*parts, *[f"{rejected} rejected by constraints"] * (rejected > 0)])


def get_objective_names(study: Study) -> list[str]:
    """Return the objectives' names; `value`, `value_2` and so on for a study without names."""
    names = study.metric_names or ["value", *(f"value_{i}" for i in range(2, 10))]
    return list(names[: len(study.directions)])


SWEEP_PREFIXES = ("sweep=", "sweep.")
"""Beginnings of the overrides that choose a sweep, or say how it continues."""


def build_train_command(trial: FrozenTrial) -> str:
    """Return the command that trains a trial again, outside of its sweep."""
    return train_command(list_train_overrides(trial))


def list_train_overrides(trial: FrozenTrial) -> list[str]:
    """Return the overrides that train a trial again, outside of its sweep."""
    overrides: Sequence[str] = trial.user_attrs.get("overrides", [])
    # What concerns only the sweep has no effect on a single run, which would say so.
    return [o for o in overrides if not o.startswith(SWEEP_PREFIXES)]
