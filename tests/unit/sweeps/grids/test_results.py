"""What a grid leaves: its table, its best point, and what its parent run says about it."""

import logging
from dataclasses import replace
from pathlib import Path

import pytest

from framesweep.sweeps.grids.points import write_point
from framesweep.sweeps.grids.results import record_grid
from framesweep.tracking import Tracker


class RecordingTracker(Tracker):
    run_id = "parent"

    def __init__(self):
        self.logged = {}
        self.artifacts = []

    def log_params(self, params):
        self.logged |= params

    def log_tags(self, tags):
        self.logged |= tags

    def log_epoch(self, epoch, metrics):
        self.logged |= metrics

    def log_artifact(self, path, folder=""):
        self.artifacts.append(path.name)


@pytest.fixture(autouse=True)
def no_plots(monkeypatch):
    """Plots take seconds; test_plots.py tests them."""
    monkeypatch.setattr("framesweep.sweeps.plots.write_plots", lambda study, folder: [])
    monkeypatch.setattr(
        "framesweep.sweeps.study_figures.write_study_figures", lambda study, path: False
    )


@pytest.fixture
def record(caplog):
    """Records a grid with these points; returns the best directory, and what was logged."""
    caplog.set_level(logging.INFO)

    def run_it(grid, *points, status="FINISHED"):
        for point in points:
            Path(point.directory).mkdir(parents=True)
            write_point(point)
        tracker = RecordingTracker()
        return record_grid(tracker, grid, status), tracker

    return run_it


def test_the_parent_has_the_objective_and_the_values_of_the_winner(make_grid, point, record):
    grid = make_grid()
    best, tracker = record(grid, point(0, 5, 0.5), point(1, 15, 0.7), point(2, 9))
    assert best == grid.directory / "1"
    assert tracker.logged["best/accuracy"] == 0.7
    assert tracker.logged["_swept/data.context"] == "15"
    note = tracker.logged["mlflow.note.content"]
    assert note.startswith("Grid of 3 runs, 2 of them finished.")
    assert "data.context=15 model=wide train.epochs=2\n" in note
    assert "| context=15 model=wide | 0.7 | 15 | wide |" in note.replace("\\", "")


def test_the_table_and_the_best_point_are_written_and_logged(make_grid, point, record):
    grid = make_grid()
    _, tracker = record(grid, point(0, 5, 0.5), point(1, 15, 0.7))
    assert tracker.artifacts == ["trials.csv", "best.yaml"]
    rows = (grid.directory / "trials.csv").read_text().splitlines()
    assert rows[0].endswith(",data.context,model")
    assert rows[2].startswith("1,COMPLETE,0.7,7.0,")
    assert "data.context=15" in (grid.directory / "best.yaml").read_text()


def test_the_best_runs_and_the_next_command_are_printed(make_grid, point, record, caplog):
    grid = make_grid()
    record(grid, point(0, 5, 0.5), point(1, 15, 0.7), point(2, 9))
    lines = caplog.messages
    assert lines[0].startswith("grid g: 2 of 3 runs have finished; results in ")
    assert [line.split()[:3] for line in lines[1:3]] == [
        ["run", "1", "0.7000"],
        ["run", "0", "0.5000"],
    ]
    assert lines[3].endswith("train.py data.context=15 model=wide train.epochs=2") or lines[
        3
    ].endswith("train data.context=15 model=wide train.epochs=2")
    assert lines[4].startswith("next: framesweep best g ")


def test_a_smaller_value_wins_where_it_is_better(make_grid, point, record):
    grid = make_grid("objective=dev/loss")
    _, tracker = record(grid, point(0, 5, 0.5), point(1, 15, 0.7))
    assert tracker.logged["best/loss"] == 0.5


def test_a_pareto_front_has_no_winner(make_grid, point, record, caplog):
    grid = make_grid("further_objectives=[dev/loss]")
    best, tracker = record(grid, point(0, 5, 0.5, 0.1), point(1, 15, 0.7, 0.2))
    assert best is None
    assert not any(name.startswith("_swept/") for name in tracker.logged)
    assert not any(line.startswith("best:") for line in caplog.messages)
    note = tracker.logged["mlflow.note.content"]
    assert "Train the best one again" not in note
    assert "are in best.yaml." in note


def test_of_equal_runs_the_first_wins_by_number(make_grid, point, record):
    best, _ = record(make_grid(), *(point(number, 5, 0.5) for number in range(12)))
    assert best.name == "0"


def test_a_grid_that_was_refused_before_its_first_job_leaves_no_study(make_grid, record):
    grid = make_grid()
    best, _ = record(grid)
    assert best is None
    assert not (Path(grid.config.outputs) / "studies.db").exists()


def test_a_grid_without_results_is_described_only(make_grid, point, record, caplog):
    best, tracker = record(make_grid(), point(0, 5, failure="x"))
    assert best is None
    assert tracker.logged == {"mlflow.note.content": "Grid of 1 runs, 0 of them finished."}
    assert caplog.messages == []


def test_many_runs_are_cut_to_the_best(make_grid, point, record, caplog):
    record(make_grid(), *(point(number, 5, number / 20) for number in range(12)))
    assert caplog.messages[1].split()[:2] == ["run", "11"]
    assert "  and 2 more in trials.csv" in caplog.messages


def test_a_grid_that_was_stopped_says_so(make_grid, point, record, caplog):
    grid = replace(make_grid(), num_points=6)
    _, tracker = record(grid, point(0, 5, 0.5), status="KILLED")
    assert "grid g: stopped; 1 of 6 runs have finished" in caplog.text
    note = tracker.logged["mlflow.note.content"]
    assert note.startswith("Grid of 6 runs, 1 of them finished.")
    assert caplog.messages[-1].startswith("train the rest: ")


def test_a_grid_that_was_stopped_before_any_run_ended_says_how_to_train_it(
    make_grid, record, caplog
):
    grid = replace(make_grid(), num_points=2)
    assert record(grid, status="FAILED")[0] is None
    assert caplog.messages == []
    assert record(grid, status="KILLED")[0] is None
    (line,) = caplog.messages
    assert line.startswith("train the rest: ")


@pytest.mark.parametrize(
    ("failures", "can_continue"), [(("x", "x"), False), (("x", "y"), True), (("x",), True)]
)
def test_runs_that_the_same_error_refuses_are_no_rest_to_train(
    make_grid, point, record, caplog, failures, can_continue
):
    points = [point(i, 5, failure=x, is_refused=True) for i, x in enumerate(failures)]
    record(replace(make_grid(), num_points=2), *points, status="FAILED")
    assert ("train the rest: " in caplog.text) == can_continue


def test_a_run_without_swept_values_leaves_no_blanks_at_the_end_of_its_line(
    make_grid, point, record, caplog
):
    record(replace(make_grid(), swept={}), point(0, 5, 0.5))
    assert "  run 0    0.5000" in caplog.messages


def test_how_to_train_the_rest_is_said_only_where_something_is_left(
    make_grid, point, record, caplog
):
    record(replace(make_grid(), num_points=1), point(0, 5, 0.5))
    assert "train the rest" not in caplog.text
    grid = replace(make_grid("outputs=elsewhere"), num_points=2)
    record(grid, point(3, 5, failure="x"), status="KILLED")
    (line,) = (message for message in caplog.messages if message.startswith("train the rest"))
    assert line.endswith(f"hydra.sweep.dir={grid.directory}")
