"""A grid ends with its answer whatever launcher runs it: its runs, its parent, its study."""

import mlflow
import optuna
import pytest

pytestmark = pytest.mark.heavy

LAUNCHERS = {
    "joblib": ["hydra/launcher=joblib", "hydra.launcher.n_jobs=2"],
    "submitit": ["hydra/launcher=submitit_local"],
    "basic": [],
}


def check_grid(folder, output):
    """Check what a grid over two contexts has left, whatever ran its jobs."""
    (sweep,) = (folder / "outputs" / "sweeps").iterdir()
    for name in ("trials.csv", "best.yaml", "multirun.yaml", "plots/history.png"):
        assert (sweep / name).exists()
    assert f"grid {sweep.name}: 2 of 2 runs have finished" in output
    assert f"next: framesweep best {sweep.name} " in output
    client = mlflow.MlflowClient(f"sqlite:///{folder}/outputs/mlflow.db")
    runs = client.search_runs(["1"])
    (parent,) = [run for run in runs if "mlflow.parentRunId" not in run.data.tags]
    children = [run for run in runs if run is not parent]
    assert {run.data.tags["mlflow.parentRunId"] for run in children} == {parent.info.run_id}
    assert {run.info.status for run in runs} == {"FINISHED"}
    best = max(run.data.metrics["best/accuracy"] for run in children)
    assert parent.data.metrics["best/accuracy"] == best
    storage = f"sqlite:///{folder}/outputs/studies.db"
    study = optuna.load_study(study_name=sweep.name, storage=storage)
    assert study.best_value == best
    assert [trial.params for trial in study.trials] == [
        {"data.context": 1},
        {"data.context": 2},
    ]
    return sweep.name


@pytest.mark.parametrize("launcher", LAUNCHERS)
def test_a_grid_ends_with_its_answer(shell, launcher):
    small = [a for a in shell.small if not a.startswith(("data.context", "train.epochs"))]
    result = shell.train(
        "-m", *small, "train.epochs=1", "data.context=1,2", *LAUNCHERS[launcher]
    )
    name = check_grid(shell.folder, result.stdout)
    if launcher == "basic":
        assert f"study {name}: 2 complete" in shell.framesweep("best", name).stdout
