"""The files of a study are written by a thread, soon after a trial and at the end."""

import threading
import time

import optuna
import pytest

from framesweep.sweeps import study_files
from framesweep.sweeps.study_files import StudyFiles, StudyFilesThread
from framesweep.tracking import Tracker


class RecordingTracker(Tracker):
    """Keeps what it is given."""

    def __init__(self):
        self.epochs = []
        self.tags = {}
        self.artifacts = []

    def log_epoch(self, epoch, metrics):
        self.epochs.append((epoch, dict(metrics)))

    def log_tags(self, tags):
        self.tags |= tags

    def log_artifact(self, path, folder=""):
        assert path.exists()
        self.artifacts.append(f"{folder}/{path.name}".lstrip("/"))


@pytest.fixture
def tracker():
    return RecordingTracker()


@pytest.fixture(autouse=True)
def no_plots(monkeypatch):
    """Plots take seconds; test_plots.py tests them."""
    monkeypatch.setattr("framesweep.sweeps.plots.write_plots", lambda study, folder: [])
    monkeypatch.setattr(
        "framesweep.sweeps.study_figures.write_study_figures", lambda study, path: False
    )


def test_close_writes_and_logs_everything(study, tracker, tmp_path):
    thread = StudyFilesThread(study, tmp_path / "s", tracker)
    thread.close()
    assert {path.name for path in (tmp_path / "s").iterdir()} == {"trials.csv", "best.yaml"}
    assert tracker.artifacts == ["trials.csv", "best.yaml"]
    values = [0.4, 0.9, 0.9, 0.9]
    assert tracker.epochs == [
        (i + 1, {"best_value": v, "best/value": v}) for i, v in enumerate(values)
    ]
    assert "trial 2" in tracker.tags["mlflow.note.content"]


def test_a_best_value_is_logged_once(study, tracker, tmp_path):
    thread = StudyFilesThread(study, tmp_path / "s", tracker)
    thread._files.write_and_log()
    study.add_trial(optuna.trial.create_trial(value=1.0))
    thread.close()
    assert [epoch for epoch, _ in tracker.epochs] == [1, 2, 3, 4, 5]


def test_the_best_values_of_a_study_follow_those_of_the_studies_it_extends(
    study, tracker, tmp_path
):
    url = f"sqlite:///{tmp_path}/studies.db"
    extending = optuna.create_study(study_name="s-2", storage=url, direction="maximize")
    extending.set_user_attr("extends", {"study": study.study_name, "changes": []})
    extending.add_trial(optuna.trial.create_trial(value=0.3))
    StudyFilesThread(extending, tmp_path / "s-2", tracker).close()
    assert tracker.epochs == [(5, {"best_value": 0.3, "best/value": 0.3})]


def test_a_request_is_answered_by_the_thread(study, tracker, tmp_path):
    thread = StudyFilesThread(study, tmp_path / "s", tracker)
    thread.request()
    end = time.monotonic() + 120
    while "best.yaml" not in tracker.artifacts:
        assert time.monotonic() < end
        time.sleep(0.01)
    thread.close()


def test_requests_during_the_pause_are_answered_together(study, tracker, tmp_path, monkeypatch):
    rounds = []
    first_round = threading.Event()

    def write(self):
        rounds.append(1)
        time.sleep(0.01)
        first_round.set()

    monkeypatch.setattr(StudyFiles, "write_and_log", write)
    monkeypatch.setattr(study_files, "PAUSE_FACTOR", 1e6)
    thread = StudyFilesThread(study, tmp_path, tracker)
    thread.request()
    assert first_round.wait(10)
    for _ in range(5):
        thread.request()
    thread.close()  # ends the pause, which would last hours, and writes a last time
    assert len(rounds) == 2


def test_an_error_is_logged_and_does_not_end_the_sweep(study, tracker, tmp_path, caplog):
    blocked = tmp_path / "blocked"
    blocked.write_text("a file where the folder should be")
    StudyFilesThread(study, blocked, tracker).close()
    assert "tables and plots could not be updated" in caplog.text
    assert "; the same command writes them again" in caplog.text


def test_plots_that_find_no_space_are_no_error_and_a_line_says_what_writes_them(
    study, tracker, tmp_path, monkeypatch, caplog
):
    def refuse(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("framesweep.sweeps.study_figures.write_study_figures", refuse)
    StudyFiles(study, tmp_path, tracker, lambda _: "").write_page()
    assert "plots could not be written ([Errno 28] No space left on device)" in caplog.text
    assert "; the same command writes them again" in caplog.text


def test_interactive_plots_are_written_once_at_the_end(study, tracker, tmp_path, monkeypatch):
    written = []

    def write(study, path):
        path.parent.mkdir(exist_ok=True)
        path.touch()
        written.append(path)
        return True

    monkeypatch.setattr("framesweep.sweeps.study_figures.write_study_figures", write)
    thread = StudyFilesThread(study, tmp_path, tracker)
    thread._files.write_and_log()
    assert written == []
    thread.close()
    assert written == [tmp_path / "plots" / "plots.html"]
    assert tracker.artifacts[-1] == "plots/plots.html"
