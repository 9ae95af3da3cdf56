"""The same search is run by two sweepers and compared, from trials whose times are known."""

import json

import pytest
from click.testing import CliRunner

from framesweep.bench import suites
from framesweep.bench.sweeps import FinishedSearch, compare_searches
from framesweep.commands import bench


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
    monkeypatch.setattr(suites, "SWEEP_FRAMES", 3000)
    arguments = ["--sweep", "--trials", "4", "--folder", str(tmp_path / "bench")]
    json_path = tmp_path / "results.json"
    done = CliRunner().invoke(bench.command, [*arguments, "--json", str(json_path)])
    assert done.exit_code == 0, done.output
    results = json.loads(json_path.read_text())
    assert [r["what"] for r in results] == ["sweep", "sweep", "search"]
    assert [(r["n_jobs"], r["threads"]) for r in results[:2]] == [(1, 2), (2, 1)]
    assert "seconds to the stock's best" in done.output


def test_a_value_that_no_trial_reaches_takes_forever(known_trials) -> None:
    search = FinishedSearch(25.0, known_trials)
    assert search.best == 0.9
    assert search.seconds_to(0.8) == 12
    assert search.seconds_to(0.95) is None
