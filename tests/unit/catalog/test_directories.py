"""A run's directory tells its name, its sweep, its start and its state."""

from pathlib import Path

import pytest

from framesweep.catalog.directories import (
    HISTORY,
    find_run_directories,
    find_study,
    read_results,
    read_start,
    shorten,
)
from framesweep.runs.reporting.history import History, write_history


@pytest.mark.parametrize(
    ("path", "name", "study"),
    [
        ("/o/runs/2026-01-02/10-20-30-abc", "10-20-30-abc", ""),
        ("/o/sweeps/grid/3", "grid/3", "grid"),
        ("/o/sweeps/grid/seeds/3-1000", "grid/seeds/3-1000", "grid"),
        ("/o/sweeps/grid", "grid", ""),
        ("/somewhere/first", "/somewhere/first", ""),
    ],
)
def test_the_name_and_the_sweep_are_parts_of_the_path(path, name, study):
    assert shorten(Path(path)) == name
    assert find_study(Path(path)) == study


def test_only_directories_with_a_config_are_those_of_runs(tmp_path):
    for path in ("runs/d/t", "sweeps/s", "sweeps/s/0", "sweeps/s/seeds/0-1", "cache/a/b"):
        (tmp_path / path).mkdir(parents=True, exist_ok=True)
        (tmp_path / path / "config.yaml").touch()
    (tmp_path / "sweeps/s/plots").mkdir()
    found = {str(path.relative_to(tmp_path)) for path in find_run_directories(tmp_path)}
    assert found == {"runs/d/t", "sweeps/s/0", "sweeps/s/seeds/0-1"}


def test_the_start_of_a_run_outside_of_outputs_is_the_time_of_its_config(tmp_path):
    (tmp_path / "config.yaml").touch()
    assert read_start(tmp_path) == (tmp_path / "config.yaml").stat().st_mtime


def test_the_results_of_a_finished_run_are_those_in_its_report(tmp_path):
    assert read_results(tmp_path) == (None, {})
    epochs = [
        {"dev/accuracy": 0.75, "train/loss": 1.0},
        {"dev/accuracy": 0.5, "train/loss": 0.5},
    ]
    write_history(tmp_path, History(epochs, 1))
    metrics = {"dev/accuracy": 0.5, "train/loss": 0.5, "best/accuracy": 0.75}
    assert read_results(tmp_path) == (2, metrics)
    (tmp_path / HISTORY).write_text("epoch,dev/accuracy\n1,many\n")
    assert read_results(tmp_path) == (None, {})
