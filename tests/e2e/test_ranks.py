"""Runs of several processes as users start them, and what happens when one of them dies."""

import os
import re
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

pytestmark = pytest.mark.heavy

# Few steps: on a busy machine each of them waits until all processes have had their turn.
RANKS = ["hardware.precision=fp32", "model.dropout=0.3", "train.batch_size=300"]
SECONDS = 600


def start(shell, kind, *arguments):
    """Two processes of one run, by torchrun or by the run itself."""
    train = str(Path(__file__).parents[2] / "train.py")
    command = {
        "torchrun": [str(Path(sys.executable).with_name("torchrun")), "--nproc-per-node=2"],
        "processes": [sys.executable],
    }[kind]
    if kind == "processes":
        arguments = ("hardware.processes=2", *arguments)
    return subprocess.Popen(
        [*command, train, *shell.small, *RANKS, *arguments],
        cwd=shell.folder,
        env=shell.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ranks_of(pid):
    """Processes that it has started to train, by their number."""
    found = subprocess.run(
        ["pgrep", "--parent", str(pid), "--full", "train"],
        capture_output=True,
        text=True,
        check=True,
    )
    return sorted(int(line) for line in found.stdout.split())


def statuses(shell):
    with sqlite3.connect(shell.folder / "outputs" / "mlflow.db") as connection:
        return [row[0] for row in connection.execute("select status from runs")]


def wait_for_line(process, text):
    for line in process.stdout:
        if text in line:
            return
    raise AssertionError(process.stderr.read())


@pytest.mark.parametrize("kind", ["torchrun", "processes"])
def test_two_processes_train_the_same_network_as_one(shell, make_shell, tmp_path, kind):
    alone = make_shell(tmp_path / "alone")
    alone.folder.mkdir()
    alone.train(*alone.small, *RANKS)
    output, errors = (process := start(shell, kind)).communicate(timeout=SECONDS)
    assert process.returncode == 0, errors
    assert "2 processes" in output
    assert output.count("epoch 2/2") == 1
    assert statuses(shell) == ["FINISHED"]
    (directory,), (expected,) = shell.runs, alone.runs
    ours, theirs = (
        load_file(path / "checkpoints" / "best.safetensors") for path in (directory, expected)
    )
    for name, tensor in theirs.items():
        np.testing.assert_allclose(ours[name], tensor, rtol=1e-3, atol=1e-5, err_msg=name)


@pytest.mark.parametrize("kind", ["torchrun", "processes"])
def test_a_killed_rank_ends_the_run_which_one_process_can_resume(shell, kind):
    process = start(shell, kind, "train.epochs=100000")
    wait_for_line(process, "epoch 1/")
    os.kill(ranks_of(process.pid)[-1], signal.SIGKILL)
    output, errors = process.communicate(timeout=SECONDS)
    assert process.returncode == 1, errors
    assert "SIGKILL" in errors
    if kind == "processes":
        (line,) = errors.splitlines()
        assert line == "error: rank 1 was killed by SIGKILL; the last checkpoint is kept"
    assert statuses(shell) == ["FAILED"]
    identity = re.search(r"train\.py resume=(\w+)", output).group(1)
    again = shell.train(
        f"resume={identity}", "hardware.processes=1", "train.max_minutes=1e-6"
    ).stdout
    assert "resuming after epoch" in again
    assert statuses(shell) == ["FINISHED"]


def test_ctrl_c_stops_every_process(shell):
    process = start(shell, "processes", "train.epochs=100000")
    wait_for_line(process, "epoch 1/")
    others = ranks_of(process.pid)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=SECONDS)
    assert process.returncode == 130, errors
    assert errors.splitlines() == ["error: stopped by SIGINT"]
    assert statuses(shell) == ["KILLED"]
    assert not any(Path(f"/proc/{pid}").exists() for pid in others)


def test_a_trial_can_train_with_several_processes(shell):
    shell.train(
        "-m",
        "sweep=bare",
        "hydra.sweeper.n_trials=2",
        "hardware.processes=2",
        *RANKS,
        *shell.small,
        "model.dropout=interval(0.1,0.5)",
    )
    assert sorted(statuses(shell)) == ["FINISHED"] * 3


def test_a_sweep_under_torchrun_is_rejected(shell):
    process = start(shell, "torchrun", "-m", "seed=1,2")
    _, errors = process.communicate(timeout=SECONDS)
    assert process.returncode == 1
    assert "error: -m: cannot be used with torchrun" in errors
    assert "hardware.processes=N" in errors
    assert not (shell.folder / "outputs").exists()
