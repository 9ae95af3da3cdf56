"""Searches and grids whose runs are tasks of a local Ray cluster."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import optuna
import pytest
from optuna.trial import TrialState

from grids import run_grid
from hydra_plugins.framesweep_sweeper.trials import _trial_attrs
from servers import free_port, start_daemon, wait_until

pytestmark = pytest.mark.heavy

TRIALS, EPOCHS = 4, 40
SECONDS, PAUSE = 280, 0.1


@pytest.fixture(scope="module")
def cluster():
    """The environment of commands that use a cluster with two processors."""
    environment = {
        **os.environ,
        "RAY_AUTH_MODE": "disabled",
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_raylet_start_wait_time_s": "200",  # a busy machine is slow
    }
    port = free_port()
    # Ray puts sockets there, whose paths must be short.
    with tempfile.TemporaryDirectory(prefix="ray-", ignore_cleanup_errors=True) as folder:
        log = Path(folder, "start.log")
        command = [sys.executable, "-m", "ray.scripts.scripts", "start", "--head", "--block"]
        command += [f"--port={port}", "--num-cpus=2", f"--temp-dir={folder}"]
        command += ["--include-dashboard=false"]
        daemon = start_daemon(command, log, env=environment)
        try:
            wait_until(lambda: "Ray runtime started" in log.read_text(), daemon, log)
            yield environment | {"RAY_ADDRESS": f"127.0.0.1:{port}"}
        finally:
            daemon.send_signal(signal.SIGTERM)
            daemon.wait(SECONDS)


@pytest.fixture(scope="module")
def sweep(tmp_path_factory, make_shell, cluster):
    """Four trials on two processors; the worker of the first to get going is killed."""
    shell = make_shell(tmp_path_factory.mktemp("ray"))
    shell.environment |= cluster
    small = [a for a in shell.small if not a.startswith("train.epochs")]
    command = ["-m", "sweep=bare", "tracking=none", "hydra.sweeper.study_name=s", *small]
    command += ["hydra/launcher=ray"]
    command += [f"hydra.sweeper.n_trials={TRIALS}", "hydra.sweeper.n_jobs=2"]
    command += ["model.dropout=interval(0.0,0.5)", f"train.epochs={EPOCHS}"]
    process = shell.start(*command, "hydra/sweeper/pruner=none", stderr=subprocess.STDOUT)
    try:
        killed = kill_a_worker(shell.folder, process)
        output, _ = process.communicate(timeout=SECONDS)
    finally:
        process.kill()
    assert process.returncode == 0, output
    return killed, output, study_in(shell.folder).trials


def study_in(folder: Path) -> optuna.Study:
    return optuna.load_study(study_name="s", storage=f"sqlite:///{folder}/outputs/studies.db")


def kill_a_worker(folder: Path, process: subprocess.Popen) -> int:
    """Kills the process of a trial that has written a checkpoint; gives the trial's number."""
    end = time.monotonic() + SECONDS
    while not (found := list(folder.glob("outputs/sweeps/s/*/checkpoints/last.pt"))):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end, process.communicate()
        time.sleep(PAUSE)
    number = int(found[0].parts[-3])
    worker = _trial_attrs.read(study_in(folder).trials[number]).worker
    os.kill(worker.pid, signal.SIGKILL)
    return number


def test_ray_processes_complete_all_trials(sweep):
    _, output, trials = sweep
    assert f": {TRIALS} trials are done" in output
    assert [trial.state for trial in trials] == [TrialState.COMPLETE] * TRIALS
    for trial in trials:
        assert list(trial.intermediate_values) == list(range(1, EPOCHS + 1))


def test_a_killed_trial_resumes_in_its_second_attempt(sweep):
    killed, output, trials = sweep
    assert f"trial {killed} resumed, attempt 2" in output
    for trial in trials:
        record = _trial_attrs.read(trial)
        assert record.claims == (2 if trial.number == killed else 1)
        assert [reason for reason, _ in record.failures] == (
            ["killed"] if trial.number == killed else []
        )


def test_a_grid_ends_with_its_answer(shell, cluster):
    shell.environment |= cluster
    run_grid(shell, "hydra/launcher=ray")
