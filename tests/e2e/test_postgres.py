"""Four sweepers share a study in PostgreSQL and an MLflow server; two of them are killed."""

import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mlflow
import optuna
import pytest
from optuna.trial import FrozenTrial, TrialState

from hydra_plugins.framesweep_sweeper.trials import _trial_attrs
from servers import PASSWORD, mlflow_server

pytestmark = pytest.mark.heavy

STUDY = "shared"
TRIALS, EPOCHS, SWEEPERS, NUM_KILLS = 8, 25, 4, 2
SECONDS = 600
PAUSE = 0.2


class Team:
    """Sweepers that work on one study, each with a log of its own."""

    def __init__(self, shell, storage: str, tracking: str) -> None:
        self.shell = shell
        self.storage = storage
        self.killed_trials: list[int] = []
        self.client: Any = None
        self.command = [
            *("-m", "sweep=bare", f"hydra.sweeper.storage={storage}"),
            *(f"tracking.uri={tracking}", f"hydra.sweeper.study_name={STUDY}"),
            f"hydra.sweeper.n_trials={TRIALS}",
            *(a for a in shell.small if not a.startswith("train.epochs")),
            f"train.epochs={EPOCHS}",
            "model.dropout=interval(0.0,0.5)",
            "hydra/sweeper/pruner=none",
        ]
        self.processes: list[subprocess.Popen] = []
        self.end = time.monotonic() + SECONDS

    def add(self) -> None:
        log = self.shell.folder / f"sweeper-{len(self.processes)}.log"
        with log.open("w") as file:
            self.processes.append(
                self.shell.start(*self.command, stdout=file, stderr=subprocess.STDOUT)
            )

    def study(self) -> optuna.Study:
        return optuna.load_study(study_name=STUDY, storage=self.storage)

    def trials(self) -> list[FrozenTrial]:
        try:
            return self.study().trials
        except KeyError:
            return []

    def logs(self) -> dict[str, str]:
        return {path.name: path.read_text() for path in self.shell.folder.glob("*.log")}

    def wait_for(self, event: Callable[[], Any]) -> Any:
        while not (found := event()):
            assert time.monotonic() < self.end, self.logs()
            assert any(p.poll() is None for p in self.processes), self.logs()
            time.sleep(PAUSE)
        return found

    def kill_busy_sweeper(self) -> int:
        """Kill a sweeper whose trial has finished some epochs; return the trial's number."""
        alive = {p.pid: p for p in self.processes if p.poll() is None}

        def find() -> FrozenTrial | None:
            for trial in self.trials():
                holder = _trial_attrs.read(trial).sweeper
                if trial.state is TrialState.RUNNING and len(trial.intermediate_values) > 2:
                    assert holder is not None
                    if holder.pid in alive:
                        return trial
            return None

        trial = self.wait_for(find)
        process = alive[_trial_attrs.read(trial).sweeper.pid]
        process.kill()
        process.wait()
        return trial.number


@pytest.fixture(scope="module")
def team(tmp_path_factory, make_shell, postgres_server):
    """Yields the finished sweep, after two kills and a restart of the database in between."""
    folder = tmp_path_factory.mktemp("team")
    backend = postgres_server.create("mlflow")
    with mlflow_server(folder / "server", backend) as uri:
        team = Team(make_shell(folder), postgres_server.create("studies"), uri)
        try:
            for _ in range(SWEEPERS):
                team.add()
            team.killed_trials = [team.kill_busy_sweeper()]
            postgres_server.stop()
            postgres_server.start()
            team.killed_trials += [team.kill_busy_sweeper() for _ in range(NUM_KILLS - 1)]
            for process in team.processes:
                process.wait(max(1, team.end - time.monotonic()))
            team.client = mlflow.MlflowClient(uri)
            yield team
        finally:
            for process in team.processes:
                process.kill()


def test_all_trials_complete_and_the_surviving_sweepers_report_it(team):
    codes = sorted(process.returncode for process in team.processes)
    assert codes == [-signal.SIGKILL] * NUM_KILLS + [0] * (SWEEPERS - NUM_KILLS), team.logs()
    assert [trial.state for trial in team.trials()] == [TrialState.COMPLETE] * TRIALS
    reports = [log for log in team.logs().values() if f": {TRIALS} trials are done" in log]
    assert len(reports) == SWEEPERS - NUM_KILLS
    assert not any("Traceback" in log for log in team.logs().values())
    assert not any("View run" in log for log in team.logs().values())


def test_no_trial_is_lost_or_run_twice(team):
    trials = team.trials()
    assert len({trial.params["model.dropout"] for trial in trials}) == TRIALS
    for trial in trials:
        assert list(trial.intermediate_values) == list(range(1, EPOCHS + 1))
    folders = [p.name for p in sweep_folder(team).iterdir() if p.name.isdigit()]
    assert sorted(map(int, folders)) == list(range(TRIALS))


def test_trials_of_killed_sweepers_resume_from_their_checkpoints(team):
    assert len(set(team.killed_trials)) == NUM_KILLS
    for trial in team.trials():
        claims = _trial_attrs.read(trial).claims
        console = (sweep_folder(team) / str(trial.number) / "console.log").read_text()
        assert (claims > 1) == (trial.number in team.killed_trials)
        assert ("resuming after epoch" in console) == (trial.number in team.killed_trials)


def test_one_parent_run_has_one_child_per_trial_with_each_epoch_once(team):
    experiment = team.client.get_experiment_by_name("framesweep")
    runs = team.client.search_runs([experiment.experiment_id], f"tags.study = '{STUDY}'")
    (parent,) = [run for run in runs if "trial" not in run.data.tags]
    assert parent.info.status == "FINISHED"
    children = {int(run.data.tags["trial"]): run for run in runs if run is not parent}
    assert sorted(children) == list(range(TRIALS))
    assert len(runs) == TRIALS + 1
    for child in children.values():
        assert child.info.status == "FINISHED"
        assert child.data.tags["mlflow.parentRunId"] == parent.info.run_id
        history = team.client.get_metric_history(child.info.run_id, "dev/accuracy")
        assert sorted(metric.step for metric in history) == list(range(1, EPOCHS + 1))
        names = {a.path for a in team.client.list_artifacts(child.info.run_id)}
        assert "config.yaml" in names
    names = {a.path for a in team.client.list_artifacts(parent.info.run_id)}
    assert {"trials.csv", "best.yaml", "plots"} <= names


def test_the_password_appears_nowhere(team):
    assert not any(PASSWORD in log for log in team.logs().values())
    for path in team.shell.folder.rglob("*"):
        if path.is_file() and ".hydra" not in path.parts:
            assert PASSWORD.encode() not in path.read_bytes(), path


def sweep_folder(team) -> Path:
    return team.shell.folder / "outputs" / "sweeps" / STUDY
