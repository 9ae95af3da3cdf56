"""The network of a sweep's winner becomes the model of its parent."""

import pytest

from framesweep.config import TrackingConfig
from framesweep.sweeps.winner import find_grid_winner, track_winner
from framesweep.system.checksums import dump_json
from framesweep.tracking import Tracker
from framesweep.tracking.models.description import write_summary


class Records(Tracker):
    """Remembers the models that were logged and registered."""

    def __init__(self):
        self.calls = []

    def log_model(self, directory, feature_dim):
        self.calls.append(("log", directory, feature_dim))

    def register_model(self, name):
        self.calls.append(("register", name))


@pytest.fixture
def grid(tmp_path):
    """Writes the jobs of a grid, each with its metrics, and returns the folder."""

    def write(*jobs):
        for number, metrics in enumerate(jobs):
            folder = tmp_path / str(number) / "model"
            folder.mkdir(parents=True)
            (folder / "predictor.json").write_text(dump_json({"feature_dim": 40}))
            write_summary(
                folder,
                corpus="c",
                frames={},
                widths=(),
                num_params=100 - number,
                context=0,
                epoch=1,
                metrics=metrics,
            )
        return tmp_path

    return write


def test_the_job_with_the_best_objective_wins(grid):
    values = ((0.5, 3.0), (0.9, 2.0), (0.7, 1.0))
    folder = grid(*({"dev/accuracy": a, "dev/loss": b} for a, b in values))
    assert find_grid_winner(folder, "dev/accuracy") == folder / "1"
    assert find_grid_winner(folder, "dev/loss") == folder / "2"


def test_of_equal_jobs_the_first_wins_by_number(grid):
    folder = grid(*({"dev/accuracy": 0.5} for _ in range(12)))
    (folder / "0" / "model" / "summary.json").unlink()
    (folder / "1" / "model" / "summary.json").write_text("{")
    assert find_grid_winner(folder, "dev/accuracy") == folder / "2"


def test_nan_does_not_win(grid):
    folder = grid({"dev/accuracy": float("nan")}, {"dev/accuracy": 0.1})
    assert find_grid_winner(folder, "dev/accuracy") == folder / "1"


def test_a_grid_without_models_has_no_winner(tmp_path):
    assert find_grid_winner(tmp_path, "dev/accuracy") is None
    tracker = Records()
    track_winner(tracker, TrackingConfig(), None)
    track_winner(tracker, TrackingConfig(), tmp_path / "gone")
    assert tracker.calls == []


def test_the_winner_is_logged_and_registered_on_request(grid):
    folder = grid({"dev/accuracy": 0.5})
    tracker = Records()
    track_winner(tracker, TrackingConfig(), folder / "0")
    assert tracker.calls == [("log", folder / "0" / "model", 40)]
    track_winner(tracker, TrackingConfig(register="phones"), folder / "0")
    assert tracker.calls[2:] == [("register", "phones")]


def test_no_winner_is_logged_where_models_are_not_wanted(grid):
    tracker = Records()
    track_winner(tracker, TrackingConfig(log_model=False), grid({"dev/accuracy": 0.5}) / "0")
    assert tracker.calls == []
