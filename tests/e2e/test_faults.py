"""Killed processes, unreachable servers, clocks that are set back, and non-finite losses."""

import random
import re
import sqlite3
from collections import Counter
from pathlib import Path

import mlflow
import pytest

from faults.kill_record import KillRecord
from faults.kills import KilledRun, KilledSweep, KillTest
from faults.load import run_load
from servers import free_port, mlflow_server, postgres

FAKE_TIME = sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))


def wait_for(process, text: str) -> str:
    """Return what the process prints up to the line with `text`."""
    output = ""
    for line in process.stdout:
        output += line
        if text in line:
            return output
    raise AssertionError(output + process.stderr.read())


@pytest.mark.heavy
@pytest.mark.parametrize("kind", [KilledRun, KilledSweep])
def test_kills_at_random_moments_change_no_result(kind, corpus, tmp_path):
    """`make faults` does this fifty times."""
    seed = random.randrange(1000)
    result = KillTest(kind, corpus, tmp_path, seed, KillRecord(kind.name, seed, None)).run(3)
    assert result.failures == []
    assert result.survived == result.tried == 3


@pytest.mark.heavy
@pytest.mark.parametrize("away", ["start", "middle", "end"])
def test_training_continues_while_the_tracking_server_is_unreachable(shell, tmp_path, away):
    """Every metric arrives once and in order when the server is back."""
    port = free_port()
    backend = f"sqlite:///{tmp_path}/served.db"
    uri = f"http://127.0.0.1:{port}"
    command = [*shell.small, "train.epochs=100000", "train.max_minutes=0.4"]

    def server():
        return mlflow_server(tmp_path / "served", backend, port)

    if away == "start":
        process = shell.start(*command, f"tracking.uri={uri}")
        wait_for(process, "epoch 3/")
    else:
        with server():
            process = shell.start(*command, f"tracking.uri={uri}")
            wait_for(process, "epoch 3/")
    if away != "end":
        if away == "middle":
            wait_for(process, "Tracking cannot be reached")
        with server():
            output, errors = process.communicate(timeout=600)
            assert "Tracking is back" in output
    else:
        output, errors = process.communicate(timeout=600)
        assert "could not be sent" in output
        with server():
            shell.framesweep("sync", "--uri", uri)
    assert process.returncode == 0, errors
    assert "Traceback" not in output + errors
    assert "View run" not in output  # a line of MLflow's own
    client = mlflow.MlflowClient(backend)
    (run,) = client.search_runs([client.get_experiment_by_name("framesweep").experiment_id])
    assert run.info.status == "FINISHED"
    with sqlite3.connect(tmp_path / "served.db") as connection:
        rows = connection.execute("select key, step from metrics order by rowid").fetchall()
    assert set(Counter(rows).values()) == {1}
    for name in ("train/loss", "dev/accuracy"):
        steps = [step for key, step in rows if key == name]
        assert len(steps) > 3
        assert steps == list(range(1, len(steps) + 1))
    assert (shell.runs[0] / "tracking" / "outbox.jsonl").read_bytes() == b""


@pytest.mark.heavy
def test_a_clock_that_is_set_back_loses_and_repeats_nothing(shell):
    """The run is killed, the clock set back by a day, and the run resumed."""
    command = [*shell.small, "train.epochs=4", "train.checkpoint_minutes=1e-6"]
    process = shell.start(*command)
    wait_for(process, "epoch 2/4")
    process.kill()
    process.communicate()
    (directory,) = shell.runs
    assert FAKE_TIME, ".ci/packages installs libfaketime"
    shell.environment |= {"LD_PRELOAD": str(FAKE_TIME[0]), "FAKETIME": "-1d"}
    shell.train(f"resume={directory}")
    with sqlite3.connect(shell.folder / "outputs" / "mlflow.db") as connection:
        rows = connection.execute("select key, step from metrics where key = 'dev/loss'")
        assert sorted(rows.fetchall()) == [("dev/loss", epoch) for epoch in (1, 2, 3, 4)]
        latest = connection.execute("select step from latest_metrics where key = 'dev/loss'")
        assert latest.fetchall() == [(4,)]
        assert connection.execute("select status from runs").fetchall() == [("FINISHED",)]


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_non_finite_loss_ends_the_run_with_its_cause(shell, precision):
    """It prints one line, and sets a tag that distinguishes the run from broken ones."""
    lost = ["optim.lr=1e30", "train.epochs=3", f"hardware.precision={precision}"]
    result = shell.train(*shell.small, *lost, code=1)
    (line,) = [t for t in result.stderr.splitlines() if t.startswith("error:")]
    assert re.search(r"the training loss became (nan|inf) in epoch \d, by step \d+", line)
    assert "optim.lr" in line
    assert "Traceback" not in result.stdout + result.stderr
    with sqlite3.connect(shell.folder / "outputs" / "mlflow.db") as connection:
        assert connection.execute("select status from runs").fetchall() == [("FAILED",)]
        tags = connection.execute("select value from tags where key = 'failure'").fetchall()
        assert tags == [("non-finite loss",)]


def test_two_processes_compute_bit_identical_weights(shell, tmp_path):
    """The processes have different folders and hash seeds."""
    found = []
    for number in ("1", "2"):
        shell.environment["PYTHONHASHSEED"] = number
        folder = tmp_path / number
        shell.train(*shell.small, f"outputs={folder}", "tracking=none", "augment=specaugment")
        (weights,) = folder.glob("runs/*/*/checkpoints/best.safetensors")
        found.append(weights.read_bytes())
    assert found[0] == found[1]


@pytest.mark.heavy
def test_sixteen_concurrent_runs_log_to_sqlite(tmp_path):
    result = run_load("SQLite", f"sqlite:///{tmp_path}/mlflow.db", tmp_path, 16, 4)
    assert result.failures == []
    assert result.survived == result.tried


@pytest.mark.heavy
def test_sixty_four_concurrent_runs_log_to_postgresql(tmp_path):
    with postgres(max_connections=500) as server:
        result = run_load("PostgreSQL", server.create("mlflow"), tmp_path, 64, 8)
    assert result.failures == []
    assert result.survived == result.tried
