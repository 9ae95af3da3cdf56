"""The same search with the stock Optuna sweeper and with framesweep's, side by side.

    python -m framesweep.bench.sweeps FOLDER N_TRIALS N_JOBS OVERRIDE...

Each runs in a fresh folder under FOLDER with the same sampler, seed and trials: the stock
sweeper in batches of N_JOBS on Hydra's launcher, without pruning; framesweep's on N_JOBS
workers with the median pruner. Prints times, and how long the workers were idle.
"""

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState

from framesweep.config.composition import compose, register
from framesweep.runs.experiment import open_frame_store

TRAIN = "from framesweep.cli import train; train()"
STUDY = "bench"


@dataclass(frozen=True, slots=True)
class Outcome:
    """One search: wall time of its command in seconds, and its ended trials in order."""

    seconds: float
    trials: list[FrozenTrial]

    @property
    def best(self) -> float:
        return float(max(t.values[0] for t in self.trials if t.state is TrialState.COMPLETE))

    def seconds_to(self, value: float) -> float | None:
        """Seconds from the first trial's start until a completed trial was as good."""
        reached = [
            trial.datetime_complete
            for trial in self.trials
            if trial.state is TrialState.COMPLETE and trial.values[0] >= value
        ]
        ends = [end for end in reached if end is not None]
        return (min(ends) - self._start).total_seconds() if ends else None

    def idle_share(self, n_jobs: int) -> float:
        """Share of the workers' time from first start to last end in which they ran nothing."""
        ends = [t.datetime_complete for t in self.trials if t.datetime_complete is not None]
        span = (max(ends) - self._start).total_seconds()
        busy = sum(t.duration.total_seconds() for t in self.trials if t.duration is not None)
        return 1 - busy / (n_jobs * span)

    @property
    def _start(self) -> datetime:
        return min(t.datetime_start for t in self.trials if t.datetime_start is not None)


def run_search(folder: Path, arguments: Sequence[str]) -> Outcome:
    """Runs one search in `folder`, which must be new."""
    folder.mkdir(parents=True)
    storage = f"sqlite:///{folder.absolute() / 'studies.db'}"
    command = [sys.executable, "-c", TRAIN, "-m", *arguments]
    command += [f"hydra.sweeper.storage={storage}", f"hydra.sweeper.study_name={STUDY}"]
    began = time.monotonic()
    with (folder / "output.log").open("w") as log:
        environment = {**os.environ, "FRAMESWEEP_OUTPUTS": str(folder.absolute() / "outputs")}
        subprocess.run(command, cwd=folder, env=environment, check=True, stdout=log, stderr=log)
    seconds = time.monotonic() - began
    return Outcome(seconds, optuna.load_study(study_name=STUDY, storage=storage).trials)


def compare_searches(
    folder: Path, n_trials: int, n_jobs: int, overrides: Sequence[str]
) -> dict[str, Any]:
    """Runs both searches in `folder` and sets their times and results side by side.

    The corpus is prepared first, for both.
    """
    register()
    cache = f"data.cache={folder.absolute() / 'cache'}"
    fixed = [o for o in overrides if o.startswith("data") and "(" not in o]
    open_frame_store(compose([*fixed, cache]))
    common = [
        f"hydra.sweeper.n_trials={n_trials}",
        f"hydra.sweeper.n_jobs={n_jobs}",
        "hydra.sweeper.sampler.seed=1",
        cache,
        *overrides,
    ]
    stock = ["hydra/sweeper=optuna", "hydra.sweeper.direction=maximize"]
    outcomes = {
        "stock": run_search(folder / "stock", [*stock, *common]),
        "framesweep": run_search(folder / "framesweep", ["sweep=bare", *common]),
    }
    goal = outcomes["stock"].best
    searches = {name: _summary(outcome, goal, n_jobs) for name, outcome in outcomes.items()}
    return {
        "what": "search",
        "trials": n_trials,
        "n_jobs": n_jobs,
        **searches,
        "ratio": outcomes["stock"].seconds / outcomes["framesweep"].seconds,
    }


def _summary(outcome: Outcome, goal: float, n_jobs: int) -> dict[str, float | None]:
    return {
        "seconds, the whole command": outcome.seconds,
        "best objective": outcome.best,
        "seconds to the stock's best": outcome.seconds_to(goal),
        "workers' idle share": outcome.idle_share(n_jobs),
        "trials pruned": sum(t.state is TrialState.PRUNED for t in outcome.trials),
    }


def main(folder: Path, n_trials: int, n_jobs: int, overrides: list[str]) -> None:
    """Compares, and prints the result as a table."""
    from rich.console import Console

    from framesweep.bench.report import search_table

    Console().print(search_table(compare_searches(folder, n_trials, n_jobs, overrides)))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4:])
