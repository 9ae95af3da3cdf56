"""Measures sweeps by their number of workers: trials per hour, and pauses between trials."""

import statistics
import tempfile
from datetime import datetime
from pathlib import Path
from typing import Any

from optuna.trial import FrozenTrial

from framesweep.bench.sweeps import STUDY, FinishedSearch, run_search

SPACE = ("model.dropout=interval(0.1,0.5)",)
"""A search space in which all trials cost the same."""


def measure_workers(root: Path, num_jobs: int, threads: int, num_trials: int) -> dict[str, Any]:
    """Measure a sweep of `num_jobs` workers of `threads` threads each on a corpus."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "sweep"
        search = run_search(
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
        pauses = _list_pauses(search, folder / "outputs" / "sweeps" / STUDY, num_jobs)
    first = min(_get_start(trial) for trial in search.trials)
    last = max(_get_end(trial) for trial in search.trials)
    return {
        "what": "sweep",
        "n_jobs": num_jobs,
        "threads": threads,
        "trials": len(search.trials),
        "trials per hour": 3600 * len(search.trials) / (last - first).total_seconds(),
        "pause seconds": statistics.median(pauses),
    }


def _list_pauses(search: FinishedSearch, folder: Path, num_jobs: int) -> list[float]:
    """Return the seconds from each trial's end until the next one is ready for its first step.

    This is the time in which a worker trains nothing. The first trial of each worker follows no
    other and is left out.
    """
    ends = sorted(_get_end(trial) for trial in search.trials)
    pauses = []
    for trial in sorted(search.trials, key=_get_start)[num_jobs:]:
        previous_ends = [end for end in ends if end <= _get_start(trial)]
        # A run writes its config when everything is built and tracked, and then trains.
        ready = (folder / str(trial.number) / "config.yaml").stat().st_mtime
        pauses.append(ready - previous_ends[-1].timestamp())
    return pauses


def _get_start(trial: FrozenTrial) -> datetime:
    assert trial.datetime_start is not None
    return trial.datetime_start


def _get_end(trial: FrozenTrial) -> datetime:
    assert trial.datetime_complete is not None
    return trial.datetime_complete
