"""What the parent of a grid says about its runs."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from framesweep.sweeps import grid_results
from framesweep.sweeps.grid_results import build_grid_command, log_grid_results
from framesweep.tracking import RunInfo, Tracker

OVERRIDES = ["data.context=5,15", "+model@net=small,wide", "train.epochs=2", "~augment"]


def run(context: str, value: float | None, status: str = "FINISHED") -> RunInfo:
    params = {"_swept/data.context": context, "_swept/model": "wide", "seed": "0"}
    metrics = {} if value is None else {"best/accuracy": value}
    return RunInfo("id", f"context={context}", status, Path(), params, metrics, {})


class RecordingTracker(Tracker):
    run_id = "parent"

    def __init__(self):
        self.logged = {}

    def log_params(self, params):
        self.logged |= params

    def log_tags(self, tags):
        self.logged |= tags

    def log_epoch(self, epoch, metrics):
        self.logged |= metrics


@pytest.fixture
def log(monkeypatch):
    """Log the results of a grid with these runs, and return what was logged."""

    def run_it(runs, *, maximize=True):
        def load(run_id, uri, outputs):
            if runs is None:
                raise ConnectionError("no server")
            return runs

        monkeypatch.setattr(grid_results, "load_children", load)
        tracking = SimpleNamespace(uri=None)
        config: Any = SimpleNamespace(objective="dev/accuracy", outputs="o", tracking=tracking)
        tracker = RecordingTracker()
        log_grid_results(tracker, config, OVERRIDES, maximize=maximize)
        return tracker.logged

    return run_it


def test_the_parent_has_the_objective_and_the_values_of_the_winner(log):
    runs = [run("5", 0.5), run("15", 0.7), run("9", 0.9, "FAILED"), run("3", None)]
    logged = log(runs)
    assert logged["best/accuracy"] == 0.7
    assert logged["_swept/data.context"] == "15"
    note = logged["mlflow.note.content"]
    assert note.startswith("Grid of 4 runs, 2 of them finished.")
    command = "data.context=15 +model@net=wide train.epochs=2 '~augment'\n"
    assert command in note


def test_a_smaller_value_wins_where_it_is_better(log):
    assert log([run("5", 0.5), run("15", 0.7)], maximize=False)["best/accuracy"] == 0.5


def test_a_grid_without_results_is_described_only(log):
    assert log([run("5", None)]) == {
        "mlflow.note.content": "Grid of 1 runs, 0 of them finished."
    }


def test_a_server_that_is_away_does_not_fail_the_grid(log, caplog):
    assert log(None) == {}
    assert "could not be summarized (no server)" in caplog.text


def test_the_command_keeps_what_is_not_swept():
    command = build_grid_command(["a=1,2", "b='x y'"], {"a": "2"})
    assert command.endswith(""" a=2 'b='"'"'x y'"'"''""")
