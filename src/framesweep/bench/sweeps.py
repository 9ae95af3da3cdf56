"""Compares the same search with Hydra's own Optuna sweeper and with framesweep's.

    python -m framesweep.bench.sweeps FOLDER N_TRIALS N_JOBS OVERRIDE...

Each search runs in a new folder in FOLDER with the same sampler, seed and number of trials. The
stock sweeper runs batches of N_JOBS trials with Hydra's launcher and never prunes; framesweep's
runs N_JOBS workers asynchronously with its own pruner. The times are printed, and how long
the workers were idle.
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
from framesweep.data.store.run_store import open_frame_store

TRAIN = "from framesweep.cli import train; train()"
STUDY = "bench"


@dataclass(frozen=True, slots=True)
class FinishedSearch:
    """A search that has ended.

    Attributes:
        seconds: wall time of its command.
        trials: its trials, in the order of their numbers.
    """

    seconds: float
    trials: list[FrozenTrial]

    @property
    def best(self) -> float:
        """Return the largest value of any completed trial."""
        return float(max(t.values[0] for t in self.trials if t.state is TrialState.COMPLETE))

    def seconds_to(self, value: float) -> float | None:
        """Return the seconds until a trial had completed with at least `value`, or None."""
        completed = [
            trial.datetime_complete
            for trial in self.trials
            if trial.state is TrialState.COMPLETE and trial.values[0] >= value
        ]
        ends = [end for end in completed if end is not None]
        return (min(ends) - self._start).total_seconds() if ends else None

    def idle_share(self, n_jobs: int) -> float:
        """Return the share of the workers' time in which they ran no trial.

        Their time lasts from the first trial's start to the last one's end.
        """
        ends = [t.datetime_complete for t in self.trials if t.datetime_complete is not None]
        span = (max(ends) - self._start).total_seconds()
        busy = sum(t.duration.total_seconds() for t in self.trials if t.duration is not None)
        return 1 - busy / (n_jobs * span)

    @property
    def _start(self) -> datetime:
        return min(t.datetime_start for t in self.trials if t.datetime_start is not None)


def run_search(folder: Path, arguments: Sequence[str]) -> FinishedSearch:
    """Run one search in `folder`, which must not exist yet."""
    folder.mkdir(parents=True)
    storage = f"sqlite:///{folder.absolute() / 'studies.db'}"
    command = [sys.executable, "-c", TRAIN, "-m", *arguments]
    command += [f"hydra.sweeper.storage={storage}", f"hydra.sweeper.study_name={STUDY}"]
    started = time.monotonic()
    with (folder / "output.log").open("wb") as log:
        environment = {**os.environ, "FRAMESWEEP_OUTPUTS": str(folder.absolute() / "outputs")}
        subprocess.run(command, cwd=folder, env=environment, check=True, stdout=log, stderr=log)
    seconds = time.monotonic() - started
    return FinishedSearch(seconds, optuna.load_study(study_name=STUDY, storage=storage).trials)


def compare_searches(
    folder: Path, n_trials: int, n_jobs: int, overrides: Sequence[str]
) -> dict[str, Any]:
    """Run both searches in `folder`, and return their times and results.

    The corpus is prepared before either, so that the first search does not pay for it.
    """
    register()
    cache = f"data.cache={folder.absolute() / 'cache'}"
    # Of the overrides, those of the data decide what is prepared, unless they are swept.
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
    searches = {
        "stock": run_search(folder / "stock", [*stock, *common]),
        "framesweep": run_search(folder / "framesweep", ["sweep=bare", *common]),
    }
    # How soon does the other search reach what this one found in the end?
    goal = searches["stock"].best
    summaries = {name: _summarize(search, goal, n_jobs) for name, search in searches.items()}
    return {
        "what": "search",
        "trials": n_trials,
        "n_jobs": n_jobs,
        **summaries,
        "ratio": searches["stock"].seconds / searches["framesweep"].seconds,
    }


def _summarize(search: FinishedSearch, goal: float, n_jobs: int) -> dict[str, float | None]:
    return {
        "seconds, the whole command": search.seconds,
        "best objective": search.best,
        "seconds to the stock's best": search.seconds_to(goal),
        "workers' idle share": search.idle_share(n_jobs),
        "trials pruned": sum(t.state is TrialState.PRUNED for t in search.trials),
    }


def main(folder: Path, n_trials: int, n_jobs: int, overrides: list[str]) -> None:
    """Compare the sweepers, and print the result as a table."""
    from rich.console import Console

    from framesweep.bench.report import build_search_table

    Console().print(build_search_table(compare_searches(folder, n_trials, n_jobs, overrides)))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4:])
