"""What is told of sweeps, from trials whose times are known; and one sweep that is real."""

import json
import os
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner
from optuna.trial import FrozenTrial, TrialState

from framesweep.bench import sweeps, workers
from framesweep.bench.corpus import write_corpus
from framesweep.bench.sweeps import STUDY, Outcome, compare_searches
from framesweep.bench.workers import measure_workers
from framesweep.commands import bench

BEGAN = datetime(2025, 1, 1)


def trial(number: int, start: float, end: float, value: float, *, pruned: bool = False):
    return FrozenTrial(
        number=number,
        trial_id=number,
        state=TrialState.PRUNED if pruned else TrialState.COMPLETE,
        value=value,
        datetime_start=BEGAN + timedelta(seconds=start),
        datetime_complete=BEGAN + timedelta(seconds=end),
        params={},
        distributions={},
        user_attrs={},
        system_attrs={},
        intermediate_values={},
    )


# Two workers of ten seconds a trial; a trial takes its first step 0.5 s after the last one.
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
    """Replaces searches by their outcomes, and gives the arguments of each."""
    asked: list[list[str]] = []

    def search(folder: Path, arguments: list[str]) -> Outcome:
        asked.append(list(arguments))
        ours = ALONE if "hydra.sweeper.n_jobs=1" in arguments else OURS
        trials = STOCK if "hydra/sweeper=optuna" in arguments else ours
        for one in trials:
            config = folder / "outputs" / "sweeps" / STUDY / str(one.number) / "config.yaml"
            config.parent.mkdir(parents=True)
            config.touch()
            ready = one.datetime_start.timestamp() + 0.5
            os.utime(config, (ready, ready))
        return Outcome(30.0 if trials is STOCK else 25.0, trials)

    monkeypatch.setattr(sweeps, "run_search", search)
    monkeypatch.setattr(workers, "run_search", search)
    monkeypatch.setattr(sweeps, "open_frame_store", lambda config: None)
    return asked


def test_trials_per_hour_and_the_pause_between_trials(searches, tmp_path) -> None:
    result = measure_workers(tmp_path, num_jobs=2, threads=1, num_trials=4)
    assert result["trials per hour"] == 4 / 24 * 3600
    assert result["pause seconds"] == pytest.approx(0.5)
    assert {"hydra.sweeper.n_jobs=2", "hardware.threads=1"} < set(searches[0])


def test_two_searches_are_compared(searches, tmp_path) -> None:
    result = compare_searches(tmp_path, 4, 2, ["model.dropout=interval(0,0.5)"])
    assert result["ratio"] == 30 / 25
    assert result["stock"]["best objective"] == 0.7
    assert result["stock"]["trials pruned"] == 1
    assert result["framesweep"]["seconds to the stock's best"] == 12
    assert result["framesweep"]["workers' idle share"] == pytest.approx(1 - 44 / 48)
    stock, ours = searches
    assert set(stock) - set(ours) == {
        "hydra/sweeper=optuna",
        "hydra.sweeper.direction=maximize",
    }
    assert set(ours) - set(stock) == {"sweep=bare"}


def test_the_command_prints_every_result(searches, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(bench, "SWEEP_FRAMES", 3000)
    arguments = ["--sweep", "--trials", "4", "--folder", str(tmp_path / "bench")]
    json_path = tmp_path / "results.json"
    done = CliRunner().invoke(bench.command, [*arguments, "--json", str(json_path)])
    assert done.exit_code == 0, done.output
    results = json.loads(json_path.read_text())
    assert [r["what"] for r in results] == ["sweep", "sweep", "search"]
    assert [(r["n_jobs"], r["threads"]) for r in results[:2]] == [(1, 2), (2, 1)]
    assert "seconds to the stock's best" in done.output


@pytest.mark.heavy
def test_a_real_sweep_of_two_workers_is_measured(tmp_path) -> None:
    result = measure_workers(write_corpus(tmp_path, 3000), num_jobs=2, threads=1, num_trials=3)
    assert result["trials"] == 3
    assert result["trials per hour"] > 0
    assert result["pause seconds"] > 0
