"""Where a study stands, and what came out of it."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial, TrialState

from hydra_plugins.framesweep_sweeper.trials import _trial_attrs

RESULTS = "optimization_results.yaml"


@dataclass(frozen=True)
class StudySummary:
    """Counts of a study's trials, and its best."""

    total: int
    complete: int
    pruned: int
    failed: int
    best: str
    seconds_left: float | None

    def counts_text(self) -> str:
        return (
            f"{self.complete + self.pruned}/{self.total} done, {self.pruned} pruned, "
            f"{self.failed} failed"
        )

    def line(self) -> str:
        left = ""
        if self.seconds_left is not None:
            minutes = max(1, round(self.seconds_left / 60))
            left = f", about {minutes} min left" if self.seconds_left > 0 else ""
        return f"study: {self.counts_text()}, best {self.best or '-'}{left}"


def summarize_study(
    study: Study,
    trials: list[FrozenTrial],
    total: int,
    n_jobs: int,
    mean_seconds: float | None,
) -> StudySummary:
    """Where `study` stands with its `trials`; one has taken `mean_seconds` so far."""
    count = {state: sum(t.state is state for t in trials) for state in TrialState}
    open_ = total - count[TrialState.COMPLETE] - count[TrialState.PRUNED]
    return StudySummary(
        total=total,
        complete=count[TrialState.COMPLETE],
        pruned=count[TrialState.PRUNED],
        failed=count[TrialState.FAIL],
        best=_best_text(study, trials),
        seconds_left=None if mean_seconds is None else mean_seconds * max(0, open_) / n_jobs,
    )


def find_best_trials(study: Study, trials: list[FrozenTrial]) -> list[FrozenTrial]:
    """The best completed trial of `trials`; with several objectives the Pareto front."""
    done = [t for t in trials if t.state is TrialState.COMPLETE]
    if not done:
        return []
    if len(study.directions) > 1:
        return [t for t in study.best_trials if _trial_attrs.DUPLICATE_OF not in t.user_attrs]
    sign = -1 if study.direction is StudyDirection.MAXIMIZE else 1
    return [min(done, key=lambda t: (sign * (t.value or 0.0), t.number))]


def format_values(trial: FrozenTrial) -> str:
    return " / ".join(f"{value:.6g}" for value in trial.values or [])


def _best_text(study: Study, trials: list[FrozenTrial]) -> str:
    best = find_best_trials(study, trials)
    if len(study.directions) > 1:
        return f"{len(best)} on the Pareto front" if best else ""
    return f"{format_values(best[0])} (trial {best[0].number})" if best else ""


def write_results(study: Study, path: Path) -> list[FrozenTrial]:
    """Writes optimization_results.yaml as the stock sweeper does; gives the find_best_trials.

    With no completed trial nothing is written.
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
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    OmegaConf.save(OmegaConf.create(results), temporary)
    temporary.replace(path)
    return best
