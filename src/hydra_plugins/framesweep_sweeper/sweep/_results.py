"""The state of a study in numbers, and its results."""

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial, TrialState

from hydra_plugins.framesweep_sweeper.trials import _trial_attrs
from hydra_plugins.framesweep_sweeper.trials._claims import TrialQueue
from hydra_plugins.framesweep_sweeper.trials._constraints import (
    VIOLATED,
    is_feasible,
    is_rejected,
)
from hydra_plugins.framesweep_sweeper.trials._trial_attrs import describe_failure

RESULTS = "optimization_results.yaml"


@dataclass(frozen=True)
class StudySummary:
    """The state of a study.

    Attributes:
        total: the number of completed and pruned trials to reach.
        complete: the number of completed trials.
        pruned: the number of pruned trials.
        failed: the number of failed trials.
        best: the best value and its trial as text; empty if no trial was completed.
        seconds_left: the expected time to the end; None before the first trial has ended.
    """

    total: int
    complete: int
    pruned: int
    failed: int
    best: str
    seconds_left: float | None

    def format_counts(self) -> str:
        """Return the counts, such as `3/10 done, 1 pruned, 0 failed`."""
        return (
            f"{self.complete + self.pruned}/{self.total} done, {self.pruned} pruned, "
            f"{self.failed} failed"
        )

    def format_line(self) -> str:
        """Return the summary in a line."""
        left = ""
        if self.seconds_left is not None:
            minutes = max(1, round(self.seconds_left / 60))
            left = f", about {minutes} min left" if self.seconds_left > 0 else ""
        return f"study: {self.format_counts()}, best {self.best or '-'}{left}"


def summarize_study(
    study: Study,
    trials: list[FrozenTrial],
    total: int,
    n_jobs: int,
    mean_seconds: float | None,
    limit_seconds: float = math.inf,
) -> StudySummary:
    """Return the state of a study.

    Args:
        study: the study.
        trials: its trials, which have been read already.
        total: the number of completed and pruned trials to reach.
        n_jobs: the number of trials that this sweeper runs in parallel; others may run more.
        mean_seconds: the mean time of a trial; None before the first one has ended.
        limit_seconds: the time after which the search ends in any case.
    """
    run = [trial for trial in trials if not is_rejected(trial)]
    count = {state: sum(t.state is state for t in run) for state in TrialState}
    missing = total - count[TrialState.COMPLETE] - count[TrialState.PRUNED]
    seconds_left = None
    if mean_seconds is not None:
        num_running = max(n_jobs, count[TrialState.RUNNING])
        seconds_left = min(mean_seconds * max(0, missing) / num_running, limit_seconds)
    return StudySummary(
        total=total,
        complete=count[TrialState.COMPLETE],
        pruned=count[TrialState.PRUNED],
        failed=count[TrialState.FAIL],
        best=_format_best(study, trials),
        seconds_left=seconds_left,
    )


def find_best_trials(study: Study, trials: list[FrozenTrial]) -> list[FrozenTrial]:
    """Return the best of the completed `trials`; with several objectives, the Pareto front.

    A duplicate has the result of its original, so it is left out of the front. A trial that
    violates a constraint is never among the best.
    """
    done = [t for t in trials if t.state is TrialState.COMPLETE and is_feasible(t)]
    if not done:
        return []
    if len(study.directions) > 1:
        front = [t for t in study.best_trials if is_feasible(t)]
        return [t for t in front if _trial_attrs.DUPLICATE_OF not in t.user_attrs]
    sign = -1 if study.direction is StudyDirection.MAXIMIZE else 1
    return [min(done, key=lambda t: (sign * (t.value or 0.0), t.number))]


def format_values(trial: FrozenTrial) -> str:
    """Return the objectives of a trial, separated by slashes."""
    return " / ".join(f"{value:.6g}" for value in trial.values or [])


def format_params(params: Mapping[str, Any]) -> str:
    """Return parameters as `key=value`, numbers with four digits, which fit into a line.

    The study and the files of results have every digit.
    """
    texts = ((k, f"{v:.4g}" if isinstance(v, float) else v) for k, v in params.items())
    return " ".join(f"{key}={text}" for key, text in texts)


def _format_best(study: Study, trials: list[FrozenTrial]) -> str:
    best = find_best_trials(study, trials)
    if len(study.directions) > 1:
        return f"{len(best)} on the Pareto front" if best else ""
    return f"{format_values(best[0])} (trial {best[0].number})" if best else ""


def write_results(study: Study, path: Path) -> list[FrozenTrial]:
    """Write the best trials to a file that has the format of hydra-optuna-sweeper's.

    Without a completed trial nothing is written.

    Returns:
        The best trials.
    """
    best = find_best_trials(study, study.get_trials(deepcopy=False))
    if not best:
        return []
    results: dict[str, Any] = {"name": "optuna"}
    if len(study.directions) == 1:
        results |= {"best_params": best[0].params, "best_value": best[0].value}
    else:
        results["solutions"] = [{"params": t.params, "values": t.values} for t in best]
    path.parent.mkdir(parents=True, exist_ok=True)
    # Replaced in one step, since another sweeper of the study may write at the same moment.
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    OmegaConf.save(OmegaConf.create(results), temporary)
    temporary.replace(path)
    return best


def explain_no_best(queue: TrialQueue) -> str:
    """Return why no trial is the best one."""
    counts = queue.count_states()
    if complete := queue.get_trials(TrialState.COMPLETE):
        first = complete[0]
        return (
            f"none of {len(complete)} completed trials satisfies hydra.sweeper.constraints; "
            f"trial {first.number}: {first.user_attrs.get(VIOLATED)}. Widen the bounds and run "
            "more trials"
        )
    pruned, num_failed = counts[TrialState.PRUNED], counts[TrialState.FAIL]
    failure = f"; last failure: {_describe_last_failure(queue)}" if num_failed else ""
    line = f"no trial was completed ({pruned} pruned, {num_failed} failed{failure})"
    # Those that were stopped have parameters, unlike points that are yet to be tried.
    if any(trial.params for trial in queue.get_trials(TrialState.WAITING)):
        line += ". Raise hydra.sweeper.max_hours to continue those that have begun"
    return line


def _describe_last_failure(queue: TrialQueue) -> str:
    failed = queue.get_trials(TrialState.FAIL)
    last = max(failed, key=lambda t: t.datetime_complete or datetime.min, default=None)
    return describe_failure(last) if last else "-"
