"""Logs the results of a grid with its parent run, once its jobs have ended."""

import logging
import math
from collections.abc import Sequence
from pathlib import Path

from framesweep.config import RunConfig
from framesweep.config.command_line import train_command
from framesweep.sweeps.context import SWEPT_PREFIX, to_bare_key
from framesweep.sweeps.notes import NOTE_TAG, Entry, build_note
from framesweep.sweeps.run_names import name_best
from framesweep.tracking import RunInfo, Tracker, load_children

log = logging.getLogger(__name__)


def log_grid_results(
    tracker: Tracker, config: RunConfig, overrides: Sequence[str], *, maximize: bool
) -> None:
    """Log the winner's objective and swept values, and a description with the table of runs.

    Args:
        overrides: The overrides of the grid's command line.
        maximize: Whether a larger value of the objective is better.
    """
    if tracker.run_id is None:
        return
    try:
        runs = load_children(tracker.run_id, config.tracking.uri, Path(config.outputs))
    except Exception as error:
        # The jobs have recorded their results. A server that is away must not fail the grid.
        log.warning("the grid's results could not be summarized (%s)", error)
        return
    name = name_best(config.objective)
    ranked = rank_runs(runs, name, maximize=maximize)
    tracker.log_tags({NOTE_TAG: build_grid_note(runs, ranked, name, overrides)})
    if ranked:
        tracker.log_epoch(1, {name: ranked[0].metrics[name]})
        tracker.log_params(
            {f"{SWEPT_PREFIX}{key}": value for key, value in swept_values(ranked[0]).items()}
        )


def rank_runs(runs: Sequence[RunInfo], metric: str, *, maximize: bool) -> list[RunInfo]:
    """Return the runs that have finished with a result, the best first."""
    done = [
        run
        for run in runs
        if run.status == "FINISHED" and not math.isnan(run.metrics.get(metric, math.nan))
    ]
    return sorted(done, key=lambda run: run.metrics[metric], reverse=maximize)


def swept_values(run: RunInfo) -> dict[str, str]:
    """Return key -> value of what the sweep varies, for one of its runs."""
    return {
        key.removeprefix(SWEPT_PREFIX): value
        for key, value in run.params.items()
        if key.startswith(SWEPT_PREFIX)
    }


def build_grid_note(
    runs: Sequence[RunInfo], ranked: Sequence[RunInfo], metric: str, overrides: Sequence[str]
) -> str:
    """Return the description of a grid: its table, and how to train the best run again."""
    summary = f"Grid of {len(runs)} runs, {len(ranked)} of them finished."
    entries = [
        Entry(run.name, {metric: run.metrics[metric]}, swept_values(run)) for run in ranked
    ]
    command = build_grid_command(overrides, swept_values(ranked[0])) if ranked else None
    return build_note(summary, entries, command)


def build_grid_command(overrides: Sequence[str], swept: dict[str, str]) -> str:
    """Return the command that trains one point of a grid, given the grid's overrides."""
    chosen = [
        f"{override.partition('=')[0]}={swept[to_bare_key(override)]}"
        if to_bare_key(override) in swept
        else override
        for override in overrides
    ]
    return train_command(chosen)
