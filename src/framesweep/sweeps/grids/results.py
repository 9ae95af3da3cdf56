"""Records the results of a grid, once its jobs have ended, as those of a search are."""

import logging
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from optuna.study import Study
from optuna.trial import FrozenTrial

from framesweep.config.command_line import continue_hint, train_hint
from framesweep.sweeps.context import SWEPT_PREFIX
from framesweep.sweeps.grids.points import GridPoint, read_points
from framesweep.sweeps.grids.study import Grid, build_grid_study, is_kept
from framesweep.sweeps.next_steps import list_next_steps
from framesweep.sweeps.notes import Entry, build_note
from framesweep.sweeps.run_names import name_best, name_by_values
from framesweep.sweeps.study_files import BEST_FILE, StudyFiles
from framesweep.sweeps.tables import (
    build_train_command,
    get_objective_names,
    list_train_overrides,
    rank_trials,
)
from framesweep.tracking import Status, Tracker

log = logging.getLogger(__name__)

MAX_ROWS = 10
"""Most runs that are printed at the end of a grid."""


def record_grid(tracker: Tracker, grid: Grid, status: Status) -> Path | None:
    """Write the table, the plots and the best point of a grid, log and print them.

    Args:
        status: How the grid has ended: KILLED by a signal, FAILED by an error.

    Returns:
        The directory of the best run; None if no run has finished, and with several objectives:
        a Pareto front has no winner.
    """
    points = read_points(grid.directory, grid.id)
    if not points:
        # Refused before any job, or stopped before one ended: a study would be in the way.
        if status == "KILLED":
            _log_lines(_list_rest(grid, points, 0))
        return None
    study = build_grid_study(grid, points, tracker.run_id)
    note = partial(build_grid_note, num_points=grid.num_points)
    files = StudyFiles(study, grid.directory, tracker, note)
    files.write_and_log()
    files.write_page()
    ranked = rank_trials(study)
    _log_lines(_describe_results(study, ranked, grid, stopped=status != "FINISHED"))
    _log_lines(_list_rest(grid, points, len(ranked)))
    if not ranked or len(grid.objectives) > 1:
        return None
    by_number = {point.number: point for point in points}
    best = by_number[ranked[0].number]
    tracker.log_params(_to_params(best, list(grid.swept)))
    return Path(best.directory)


def build_grid_note(study: Study, num_points: int = 0) -> str:
    """Return the description of a grid: its table, and how to train the best run again.

    Args:
        num_points: `Grid.num_points`.
    """
    ranked = rank_trials(study)
    num_runs = _count_runs(study, num_points)
    summary = f"Grid of {num_runs} runs, {len(ranked)} of them finished."
    names = [name_best(name) for name in get_objective_names(study)]
    entries = [
        Entry(
            name_by_values(trial.params) or f"run {trial.number}",
            dict(zip(names, trial.values, strict=True)),
            trial.params,
        )
        for trial in ranked
    ]
    command = build_train_command(ranked[0]) if ranked else None
    return build_note(summary, entries, command, is_front=len(study.directions) > 1)


def _count_runs(study: Study, num_points: int) -> int:
    """Return the number of runs of a grid, some of which may never have started."""
    return max(num_points, len(study.get_trials(deepcopy=False)))


def _to_params(point: GridPoint, keys: Sequence[str]) -> dict[str, str]:
    return {f"{SWEPT_PREFIX}{key}": text for key, text in point.select_texts(keys).items()}


def _describe_results(
    study: Study, ranked: Sequence[FrozenTrial], grid: Grid, *, stopped: bool
) -> list[str]:
    """Return the lines about the runs that have finished; none if none has."""
    if not ranked:
        return []
    num_runs = _count_runs(study, grid.num_points)
    state = "stopped; " if stopped else ""
    path = grid.directory / BEST_FILE
    lines = [
        f"grid {study.study_name}: {state}{len(ranked)} of {num_runs} runs have finished; "
        f"results in {path}"
    ]
    lines += [f"  {_describe_run(trial)}" for trial in ranked[:MAX_ROWS]]
    if len(ranked) > MAX_ROWS:
        lines.append(f"  and {len(ranked) - MAX_ROWS} more in trials.csv")
    if len(grid.objectives) == 1:
        lines.append(f"best: {train_hint(list_train_overrides(ranked[0]))}")
    name = study.study_name if is_kept(study) else None
    return [*lines, *list_next_steps(grid.config, name, "runs")]


def _list_rest(grid: Grid, points: Sequence[GridPoint], num_finished: int) -> list[str]:
    """Return the line that says how to train the runs that have not finished, if any can be."""
    if num_finished >= grid.num_points:
        return []
    reasons = {point.failure if point.is_refused else None for point in points}
    if len(points) == grid.num_points and len(reasons) == 1 and None not in reasons:
        return []  # all were refused by the same error of their config
    return [f"train the rest: {continue_hint(grid.directory)}"]


def _log_lines(lines: Sequence[str]) -> None:
    for line in lines:
        log.info("%s", line)


def _describe_run(trial: FrozenTrial) -> str:
    values = " / ".join(f"{value:.4f}" for value in trial.values)
    params = " ".join(f"{key}={_shorten(value)}" for key, value in trial.params.items())
    return f"run {trial.number:<4} {values}  {params}".rstrip()


def _shorten(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
