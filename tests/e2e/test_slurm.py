"""Searches whose trials are jobs of a real Slurm: pruned, preempted, over their time limit."""

import os
import re
import subprocess
import sys
import time
from itertools import permutations
from pathlib import Path

import optuna
import pytest
from optuna.trial import TrialState

from grids import run_grid
from hydra_plugins.framesweep_sweeper.trials import _trial_attrs
from slurm import CPUS, PAUSE, Slurm, slurm

pytestmark = pytest.mark.heavy

APP = Path(__file__).parents[1] / "sweep_app.py"
LAUNCHER = ["hydra/launcher=submitit_slurm", "hydra.launcher.cpus_per_task=1"]
STUDY = "hydra.sweeper.study_name=s"
SECONDS = 400


@pytest.fixture(scope="module")
def cluster():
    with slurm() as cluster:
        yield cluster


@pytest.fixture
def environment(cluster):
    return {**os.environ, **cluster.environment}


def study_in(folder: Path) -> optuna.Study:
    return optuna.load_study(study_name="s", storage=f"sqlite:///{folder}/outputs/studies.db")


def logs_in(folder: Path) -> str:
    """What all jobs of Slurm printed."""
    return "\n".join(path.read_text() for path in sorted(folder.rglob(".submitit/**/*_log.*")))


def sweep_app(folder: Path, environment: dict[str, str], *arguments: str) -> str:
    result = subprocess.run(
        [sys.executable, str(APP), "-m", STUDY, *LAUNCHER, *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr + logs_in(folder)
    return result.stdout


def test_a_search_prunes_and_no_trial_waits_for_another(tmp_path, environment):
    search = ["x=choice(0.3,2.0)", "seconds=choice(0.1,2.0)", "hydra/sweeper/sampler=grid"]
    prune = ["hydra/sweeper/pruner=threshold", "hydra.sweeper.pruner.lower=0.0"]
    sweep_app(tmp_path, environment, *search, *prune, "hydra.sweeper.n_jobs=2")
    trials = study_in(tmp_path).trials
    assert len(trials) == 4
    for trial in trials:
        pruned = trial.params["x"] == 2.0
        assert trial.state is (TrialState.PRUNED if pruned else TrialState.COMPLETE)
        assert len(trial.intermediate_values) == (1 if pruned else 3)
    # One began after another had ended, while a third that began before was still at work.
    assert any(
        slow.datetime_start < late.datetime_start < slow.datetime_complete
        and quick.datetime_complete < late.datetime_start
        for slow, quick, late in permutations(trials, 3)
    )


def test_a_grid_ends_with_its_answer(cluster, shell):
    shell.environment |= cluster.environment
    run_grid(shell, *LAUNCHER)


def test_a_preempted_job_is_requeued_and_resumes_from_its_checkpoint(
    cluster: Slurm, shell, environment
):
    shell.environment |= cluster.environment
    small = [a for a in shell.small if not a.startswith("train.epochs")]
    command = ["-m", "sweep=bare", "tracking=none", STUDY, *LAUNCHER, *small]
    command += ["train.epochs=60", "model.dropout=choice(0.1)", "hydra.sweeper.n_trials=1"]
    process = shell.start(*command, stderr=subprocess.STDOUT)
    trial_folder = shell.folder / "outputs" / "sweeps" / "s" / "0"
    wait_for(process, (trial_folder / "checkpoints" / "last.pt").exists)
    (job,) = cluster.jobs()
    cluster.run(
        "sbatch",
        "--partition=high",
        f"--cpus-per-task={CPUS}",
        "--output=/dev/null",
        "--wrap=true",
    )
    try:
        output, _ = process.communicate(timeout=SECONDS)
    finally:
        process.kill()
    log = logs_in(shell.folder)
    assert process.returncode == 0, output + log
    assert f"Requeued job {job}" in log
    (epoch,) = map(int, re.findall(r"resuming after epoch (\d+)", log))
    assert 1 <= epoch < 60
    (trial,) = study_in(shell.folder).trials
    assert trial.state is TrialState.COMPLETE
    assert list(trial.intermediate_values) == list(range(1, 61))
    record = _trial_attrs.read(trial)
    assert (record.claims, record.failures) == (1, ())


def test_a_job_that_reaches_its_time_limit_resumes_in_the_next_job(tmp_path, environment):
    limit = ["hydra.launcher.timeout_min=2", "hydra.launcher.signal_delay_s=20"]
    limit += ["hydra.launcher.max_num_timeout=9"]
    # Slurm may signal a minute early, or not: so the work is longer than the limit.
    work = ["epochs=31", "seconds=4.0", "x=choice(0.3)", "hydra.sweeper.n_trials=1"]
    sweep_app(tmp_path, environment, *limit, *work)
    assert "this job is timed-out" in logs_in(tmp_path)
    (trial,) = study_in(tmp_path).trials
    assert trial.value == 1.0
    assert list(trial.intermediate_values) == list(range(1, 32))
    assert _trial_attrs.read(trial).claims == 1
    folder = tmp_path / "outputs" / "sweeps" / "s" / "0"
    assert len((folder / "starts.log").read_text().splitlines()) > 1
    assert len((folder / "ends.log").read_text().splitlines()) == 1


def wait_for(process: subprocess.Popen, event) -> None:
    end = time.monotonic() + SECONDS
    while not event():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(PAUSE)
