"""The network of a sweep's winner becomes the model of its parent."""

import pytest

from framesweep.config import TrackingConfig
from framesweep.sweeps.winner import track_winner
from framesweep.system.checksums import dump_json
from framesweep.tracking import Tracker


class Records(Tracker):
    """Remembers the models that were logged and registered."""

    def __init__(self):
        self.calls = []

    def log_model(self, directory, feature_dim):
        self.calls.append(("log", directory, feature_dim))

    def register_model(self, name):
        self.calls.append(("register", name))


@pytest.fixture
def run(tmp_path):
    """The directory of a run that has saved its model."""
    folder = tmp_path / "run" / "model"
    folder.mkdir(parents=True)
    (folder / "predictor.json").write_text(dump_json({"feature_dim": 40}))
    return folder.parent


def test_a_sweep_without_models_has_no_winner(tmp_path):
    tracker = Records()
    track_winner(tracker, TrackingConfig(), None)
    track_winner(tracker, TrackingConfig(), tmp_path / "gone")
    assert tracker.calls == []


def test_the_winner_is_logged_and_registered_on_request(run):
    tracker = Records()
    track_winner(tracker, TrackingConfig(), run)
    assert tracker.calls == [("log", run / "model", 40)]
    track_winner(tracker, TrackingConfig(register="phones"), run)
    assert tracker.calls[2:] == [("register", "phones")]


def test_no_winner_is_logged_where_models_are_not_wanted(run):
    tracker = Records()
    track_winner(tracker, TrackingConfig(log_model=False), run)
    assert tracker.calls == []
