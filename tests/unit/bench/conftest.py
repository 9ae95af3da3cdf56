"""A small network on a small random corpus, and searches whose times are known."""

import os
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from optuna.trial import FrozenTrial, TrialState

from framesweep.bench import sweeps, workers
from framesweep.bench.case import Case
from framesweep.bench.corpus import write_corpus
from framesweep.bench.sweeps import STUDY, FinishedSearch
from framesweep.config.composition import register


@pytest.fixture
def case(tmp_path) -> Case:
    register()
    root = write_corpus(tmp_path, 20_000)
    return Case("small", "fp32", 1, str(root), str(tmp_path / "outputs"), threads=1)


STARTED = datetime(2025, 1, 1)


def trial(number: int, start: float, end: float, value: float, *, pruned: bool = False):
    return FrozenTrial(
        number=number,
        trial_id=number,
        state=TrialState.PRUNED if pruned else TrialState.COMPLETE,
        value=value,
        datetime_start=STARTED + timedelta(seconds=start),
        datetime_complete=STARTED + timedelta(seconds=end),
        params={},
        distributions={},
        user_attrs={},
        system_attrs={},
        intermediate_values={},
    )


# Two workers, about ten seconds per trial; each trial is ready 0.5 s after it was started.
OURS = [
    trial(0, 0, 10, 0.5),
    trial(1, 0, 12, 0.8),
    trial(2, 10, 20, 0.9),
    trial(3, 12, 24, 0.7),
]
ALONE = [trial(0, 0, 10, 0.5), trial(1, 10, 22, 0.8), trial(2, 22, 32, 0.9)]
STOCK = [trial(0, 0, 10, 0.5), trial(1, 0, 12, 0.7), trial(2, 14, 24, 0.8, pruned=True)]


@pytest.fixture
def searches(monkeypatch) -> list[list[str]]:
    """Replaces searches by finished ones, and returns the arguments of each."""
    asked: list[list[str]] = []

    def search(folder: Path, arguments: list[str]) -> FinishedSearch:
        asked.append(list(arguments))
        ours = ALONE if "hydra.sweeper.n_jobs=1" in arguments else OURS
        trials = STOCK if "hydra/sweeper=optuna" in arguments else ours
        for one in trials:
            config = folder / "outputs" / "sweeps" / STUDY / str(one.number) / "config.yaml"
            config.parent.mkdir(parents=True)
            config.touch()
            ready = one.datetime_start.timestamp() + 0.5
            os.utime(config, (ready, ready))
        return FinishedSearch(30.0 if trials is STOCK else 25.0, trials)

    monkeypatch.setattr(sweeps, "run_search", search)
    monkeypatch.setattr(workers, "run_search", search)
    monkeypatch.setattr(sweeps, "open_frame_store", lambda config: None)
    return asked


@pytest.fixture
def known_trials() -> list[FrozenTrial]:
    """Returns the trials of a search with two workers."""
    return list(OURS)
