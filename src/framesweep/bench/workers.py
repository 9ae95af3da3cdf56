"""Sweeps by the number of workers: trials an hour, and the pause between two trials."""

import statistics
import tempfile
from datetime import datetime
from pathlib import Path
from typing import Any

from optuna.trial import FrozenTrial

from framesweep.bench.sweeps import STUDY, Outcome, run_search

SPACE = ("model.dropout=interval(0.1,0.5)",)
"""Trials that all cost the same."""


def measure_workers(root: Path, num_jobs: int, threads: int, num_trials: int) -> dict[str, Any]:
    """A sweep of `num_jobs` workers, `threads` threads each, on the corpus in `root`."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "sweep"
        outcome = run_search(
            folder,
            [
                "sweep=bare",
                f"hydra.sweeper.n_trials={num_trials}",
                f"hydra.sweeper.n_jobs={num_jobs}",
                f"hardware.threads={threads}",
                "data=hw1p2",
                f"data.root={root}",
                f"data.cache={root / 'cache'}",
                "model=small",
                "train.epochs=1",
                *SPACE,
            ],
        )
        pauses = _pauses(outcome, folder / "outputs" / "sweeps" / STUDY, num_jobs)
    first = min(_started(trial) for trial in outcome.trials)
    last = max(_ended(trial) for trial in outcome.trials)
    return {
        "what": "sweep",
        "n_jobs": num_jobs,
        "threads": threads,
        "trials": len(outcome.trials),
        "trials per hour": 3600 * len(outcome.trials) / (last - first).total_seconds(),
        "pause seconds": statistics.median(pauses),
    }


def _pauses(outcome: Outcome, folder: Path, num_jobs: int) -> list[float]:
    """Seconds from a trial's end until the next one is about to take its first step."""
    ends = sorted(_ended(trial) for trial in outcome.trials)
    pauses = []
    for trial in sorted(outcome.trials, key=_started)[num_jobs:]:
        before = [end for end in ends if end <= _started(trial)]
        # A run writes its config when all is built and tracked, and then trains.
        ready = (folder / str(trial.number) / "config.yaml").stat().st_mtime
        pauses.append(ready - before[-1].timestamp())
    return pauses


def _started(trial: FrozenTrial) -> datetime:
    assert trial.datetime_start is not None
    return trial.datetime_start


def _ended(trial: FrozenTrial) -> datetime:
    assert trial.datetime_complete is not None
    return trial.datetime_complete
