"""The list of runs is complete, the newest first, and needs no server."""

import json
import os
import time

import pytest

from framesweep.catalog import list_runs
from framesweep.catalog.directories import PREDICTOR, TRACKING_FOLDER, TRAINED_MODEL
from framesweep.catalog.run_file import write_run_file
from framesweep.config.paths import CONFIG_FILE
from framesweep.evaluation.predictor import METADATA, WEIGHTS
from framesweep.runs.reporting.run_log import MODEL_FOLDER
from framesweep.system.locks.owner import OWNER_FILE
from hydra_plugins.framesweep_sweeper import Process


def test_a_tracked_run_has_its_metrics_epochs_and_study(tracked_outputs, track):
    tags = {"study": "s", "framesweep.data_fingerprint": "abc"}
    parent, _ = track("sweeps/s", "s")
    run_id, directory = track(
        "sweeps/s/0", "trial 0", parent=parent, tags=tags, dev_accuracy=0.5, best_accuracy=0.75
    )
    (run,) = list_runs(None, tracked_outputs)
    assert (run.id, run.run_id, run.name) == (run_id, run_id, "trial 0")
    assert (run.directory, run.state, run.study) == (directory, "finished", "s")
    assert (run.accuracy, run.epochs, run.data) == (0.75, 3, "abc")
    assert time.time() - 600 < run.start <= time.time()


def test_the_parent_of_a_sweep_without_jobs_yet_is_not_a_run(tracked_outputs, track):
    track("sweeps/s", "s")
    assert list_runs(None, tracked_outputs) == []


@pytest.mark.parametrize(
    ("status", "tags", "state"),
    [
        ("FAILED", {}, "failed"),
        ("KILLED", {}, "stopped"),
        ("FINISHED", {"pruned": "true"}, "pruned"),
    ],
)
def test_the_state_is_that_in_mlflow(tracked_outputs, track, status, tags, state):
    track("runs/d/t", status=status, tags=tags)
    assert [run.state for run in list_runs(None, tracked_outputs)] == [state]


def write_owner(directory, pid):
    process = {**Process.of(pid).dump(), "pid": pid}
    record = {"token": "t", "process": process, "since": time.time(), "claim": 0}
    (directory / OWNER_FILE).write_text(json.dumps(record), encoding="utf-8")


def make_untracked(directory, run_id=""):
    directory.mkdir(parents=True)
    (directory / CONFIG_FILE).touch()
    if run_id:
        (directory / TRACKING_FOLDER).mkdir()
        write_run_file(
            directory / TRACKING_FOLDER, {"key": "k", "run_id": run_id, "uri": "http://x"}
        )


def test_a_run_whose_process_was_killed_is_stopped_although_mlflow_says_running(
    tracked_outputs, track
):
    _, directory = track("runs/d/t", status="RUNNING")
    write_owner(directory, os.getpid())
    assert [run.state for run in list_runs(None, tracked_outputs)] == ["running"]
    write_owner(directory, 2**22 + 1)  # above the largest process id of Linux
    assert [run.state for run in list_runs(None, tracked_outputs)] == ["stopped"]


def test_runs_without_tracking_are_named_by_the_ends_of_their_paths(tmp_path):
    make_untracked(tmp_path / "runs" / "2026-01-02" / "10-20-30-abcdef")
    make_untracked(tmp_path / "sweeps" / "grid" / "3")
    make_untracked(tmp_path / "sweeps" / "grid" / "seeds" / "3-1000")
    (tmp_path / "sweeps" / "grid" / "3" / MODEL_FOLDER).mkdir()
    (tmp_path / "sweeps" / "grid" / "3" / MODEL_FOLDER / WEIGHTS).touch()
    runs = {run.id: run for run in list_runs(None, tmp_path)}
    assert runs.keys() == {"10-20-30-abcdef", "grid/3", "grid/seeds/3-1000"}
    single = runs["10-20-30-abcdef"]
    assert time.strftime("%F %T", time.localtime(single.start)) == "2026-01-02 10:20:30"
    assert (single.study, single.state, single.accuracy) == ("", "stopped", None)
    assert (runs["grid/3"].study, runs["grid/3"].state) == ("grid", "finished")


@pytest.mark.parametrize("newest", ["10-20-30-abcdef", "10-20-30-123456"])
def test_of_runs_that_started_in_one_second_the_one_written_last_is_the_newest(
    tmp_path, newest
):
    day = tmp_path / "runs" / "2026-01-02"
    for name in ("10-20-30-abcdef", "10-20-30-123456", "10-20-29-ffffff"):
        make_untracked(day / name)
        os.utime(day / name / CONFIG_FILE, (0, 100 + (name == newest)))
    runs = [run.id for run in list_runs(None, tmp_path)]
    assert runs[0] == newest
    assert runs[2] == "10-20-29-ffffff"


def test_the_data_of_an_untracked_run_is_that_of_its_model(tmp_path):
    for name, content in (("t1", '{"digest": "abc"}'), ("t2", "{"), ("t3", None), ("t4", "[]")):
        directory = tmp_path / "runs" / "d" / name
        make_untracked(directory)
        if content is not None:
            (directory / PREDICTOR).parent.mkdir()
            (directory / PREDICTOR).write_text(content)
    found = {run.id: run.data for run in list_runs(None, tmp_path)}
    assert found == {"t1": "abc", "t2": "", "t3": "", "t4": ""}
    assert f"{MODEL_FOLDER}/{METADATA}" == PREDICTOR


def test_the_file_by_which_a_run_has_finished_is_the_one_that_runs_write():
    assert f"{MODEL_FOLDER}/{WEIGHTS}" == TRAINED_MODEL


def test_runs_that_a_server_tracks_are_listed_with_their_ids_without_asking_it(tmp_path):
    make_untracked(tmp_path / "runs" / "d" / "t", "0123456789abcdef" * 2)
    (run,) = list_runs("http://127.0.0.1:9", tmp_path)
    assert run.id == run.run_id == "0123456789abcdef" * 2


def test_a_damaged_file_or_database_hides_no_other_run(tmp_path):
    make_untracked(tmp_path / "runs" / "d" / "t1", "ab" * 16)
    make_untracked(tmp_path / "runs" / "d" / "t2", "cd" * 16)
    (tmp_path / "runs" / "d" / "t1" / TRACKING_FOLDER / "run.json").write_text("{")
    (tmp_path / "mlflow.db").write_text("not a database")
    assert {run.id for run in list_runs(None, tmp_path)} == {"t1", "cd" * 16}


def test_a_run_is_listed_once_after_its_outputs_were_moved(tracked_outputs, track):
    run_id, directory = track("runs/d/t")
    moved = tracked_outputs.rename(tracked_outputs.with_name("moved"))
    (run,) = list_runs(None, moved)
    assert (run.run_id, run.directory) == (
        run_id,
        moved / directory.relative_to(tracked_outputs),
    )


def test_an_empty_or_absent_folder_has_no_runs(tmp_path):
    assert list_runs(None, tmp_path / "absent") == []
    assert list(tmp_path.iterdir()) == []
