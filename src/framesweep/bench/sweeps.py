"""The same search with the stock Optuna sweeper and with framesweep's, side by side.

    python -m framesweep.bench.sweeps FOLDER N_TRIALS N_JOBS OVERRIDE...

Each runs in a fresh folder under FOLDER with the same sampler, seed and trials: the stock
sweeper in batches of N_JOBS on Hydra's launcher, without pruning; framesweep's on N_JOBS
workers with the median pruner. Prints times, and how long the workers were idle.
"""

import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import optuna
from optuna.trial import FrozenTrial, TrialState

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
        subprocess.run(command, cwd=folder, check=True, stdout=log, stderr=log)
    seconds = time.monotonic() - began
    return Outcome(seconds, optuna.load_study(study_name=STUDY, storage=storage).trials)


def main(folder: Path, n_trials: int, n_jobs: int, overrides: list[str]) -> None:
    common = [
        f"hydra.sweeper.n_trials={n_trials}",
        f"hydra.sweeper.n_jobs={n_jobs}",
        "hydra.sweeper.sampler.seed=1",
        f"data.cache={folder.absolute() / 'cache'}",
        *overrides,
    ]
    stock = run_search(
        folder / "stock",
        ["hydra/sweeper=optuna", "hydra.sweeper.direction=maximize", *common],
    )
    ours = run_search(folder / "framesweep", ["sweep=bare", *common])
    print(f"{'':32}{'stock':>10}{'framesweep':>12}")
    rows = {
        "seconds, the whole command": (stock.seconds, ours.seconds),
        "best objective": (stock.best, ours.best),
        "seconds to the stock's best": (
            stock.seconds_to(stock.best),
            ours.seconds_to(stock.best),
        ),
        "workers' idle share": (stock.idle_share(n_jobs), ours.idle_share(n_jobs)),
        "trials pruned": tuple(
            sum(t.state is TrialState.PRUNED for t in o.trials) for o in (stock, ours)
        ),
    }
    for name, values in rows.items():
        shown = ["never" if value is None else f"{value:.4g}" for value in values]
        print(f"{name:32}{shown[0]:>10}{shown[1]:>12}")
    print(f"ratio of times: {stock.seconds / ours.seconds:.2f}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4:])
