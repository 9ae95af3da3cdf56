"""Several processes log concurrently, and processes are killed while they log."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from framesweep.config import TrackingConfig
from framesweep.tracking import (
    find_unsent_runs,
    load_metric_history,
    load_run,
    mlflow_store,
    open_tracker,
    sync,
)

RUN = """
import sys
import threading
from pathlib import Path
from framesweep.config import TrackingConfig
from framesweep.tracking import open_tracker

outputs, name, epochs = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
directory = outputs / "runs" / "today" / name
with open_tracker(TrackingConfig(run_name=name), outputs, directory) as tracker:
    tracker.log_params({"seed": name})
    print(tracker.run_id, flush=True)
    for epoch in range(1, epochs + 1):
        tracker.log_epoch(epoch, {"dev/accuracy": epoch / epochs, "dev/loss": 1 / epoch})
        if "slow" in sys.argv:
            print(epoch, flush=True)
            sys.stdin.readline()
"""
NUM_RUNS, NUM_EPOCHS = 8, 25


def _start(outputs: Path, name: str, *more: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", RUN, str(outputs), name, str(NUM_EPOCHS), *more],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _client(outputs: Path):
    return mlflow_store.connect(mlflow_store.resolve_tracking_uri(None, outputs), outputs)


@pytest.mark.heavy
def test_eight_concurrent_runs_in_a_new_folder_lose_nothing(tmp_path):
    """The database's tables are created once, and no metric is lost to a lock."""
    outputs = tmp_path / "outputs"
    processes = [_start(outputs, str(number)) for number in range(NUM_RUNS)]
    for process in processes:
        output, errors = process.communicate(timeout=600)
        assert process.returncode == 0, errors
        assert errors == ""
        assert len(output.strip()) == 32
    client = _client(outputs)
    runs = client.search_runs(["1"])
    assert sorted(run.info.run_name for run in runs) == [str(n) for n in range(NUM_RUNS)]
    assert {run.info.status for run in runs} == {"FINISHED"}
    histories = [
        [m.step for m in client.get_metric_history(run.info.run_id, key)]
        for run in runs
        for key in ("dev/accuracy", "dev/loss")
    ]
    assert histories == [list(range(1, NUM_EPOCHS + 1))] * 2 * NUM_RUNS
    assert find_unsent_runs(outputs) == []


@pytest.fixture
def killed_run(tracked_outputs) -> tuple[Path, int]:
    """Returns the directory of a killed run, and the number of epochs that it had logged."""
    process = _start(tracked_outputs, "0", "slow")
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdout.readline()
    for _ in range(3):
        last = int(process.stdout.readline())
        process.stdin.write("\n")
        process.stdin.flush()
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    return tracked_outputs / "runs" / "today" / "0", last


def test_a_killed_run_is_resumed_without_lost_or_repeated_metrics(tracked_outputs, killed_run):
    directory, last = killed_run
    with open_tracker(TrackingConfig(), tracked_outputs, directory) as tracker:
        for epoch in range(1, NUM_EPOCHS + 1):
            tracker.log_epoch(epoch, {"dev/accuracy": 0.5, "dev/loss": 1 / epoch})
    client = _client(tracked_outputs)
    assert len(client.search_runs(["1"])) == 1
    history = client.get_metric_history(tracker.run_id, "dev/accuracy")
    assert [m.step for m in history] == list(range(1, NUM_EPOCHS + 1))
    kept = [m.value for m in history[:last]]
    assert kept == [epoch / NUM_EPOCHS for epoch in range(1, last + 1)]


def test_records_of_a_dead_run_can_be_sent_later(tracked_outputs, tmp_path):
    """As if the run had started and ended while its server was unreachable."""
    directory = tracked_outputs / "runs" / "today" / "0"
    (directory / "tracking").mkdir(parents=True)
    uri = mlflow_store.resolve_tracking_uri(None, tracked_outputs)
    records = [
        {"kind": "start", "key": "k", "name": "late", "tags": {"a": "b"}, "time": 1000}
        | {"uri": uri, "experiment": "framesweep", "outputs": str(tracked_outputs)},
        {"kind": "metrics", "step": 1, "metrics": {"dev/loss": 1.0}, "time": 2000},
        {"kind": "status", "status": "KILLED", "time": 3000},
    ]
    text = "".join(json.dumps(record) + "\n" for record in records)
    (directory / "tracking" / "outbox.jsonl").write_text(text)
    assert find_unsent_runs(tracked_outputs) == [directory]
    sync(directory, tracked_outputs, 60)
    assert find_unsent_runs(tracked_outputs) == []
    (run,) = _client(tracked_outputs).search_runs(["1"])
    assert (run.info.run_name, run.info.status) == ("late", "KILLED")
    assert (run.info.start_time, run.info.end_time) == (1000, 3000)
    assert run.data.metrics == {"dev/loss": 1.0}


@pytest.mark.heavy
def test_a_database_that_is_locked_for_a_minute_loses_nothing(tracked_outputs):
    """MLflow itself waits only 20 seconds for a lock."""
    directory = tracked_outputs / "runs" / "today" / "0"
    with open_tracker(TrackingConfig(), tracked_outputs, directory) as tracker:
        run_id = tracker.run_id
        connection = sqlite3.connect(tracked_outputs / "mlflow.db", check_same_thread=False)
        connection.execute("BEGIN EXCLUSIVE")
        release = threading.Timer(60, lambda: (connection.rollback(), connection.close()))
        release.start()
        for epoch in range(1, 6):
            tracker.log_epoch(epoch, {"dev/loss": 1 / epoch})
    history = load_metric_history(run_id, "dev/loss", None, tracked_outputs)
    assert history == {epoch: 1 / epoch for epoch in range(1, 6)}
    assert load_run(run_id, None, tracked_outputs).status == "FINISHED"
    assert find_unsent_runs(tracked_outputs) == []
