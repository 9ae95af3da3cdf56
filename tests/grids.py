"""A small grid, and what it must have left at its end, whatever launcher ran its jobs."""

import mlflow
import optuna

OVERRIDES = ["train.epochs=1", "data.context=1,2"]


def list_overrides(shell) -> list[str]:
    """Return the overrides of the grid, on the corpus of the shell."""
    replaced = ("data.context", "train.epochs")
    return [*(each for each in shell.small if not each.startswith(replaced)), *OVERRIDES]


def run_grid(shell, *launcher: str) -> str:
    """Run a grid over two contexts, check its results, and return the name of its study."""
    output = shell.train("-m", *list_overrides(shell), *launcher).stdout
    folder = shell.folder
    (sweep,) = (
        path for path in (folder / "outputs" / "sweeps").iterdir() if path.name[0].isdigit()
    )
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
    assert [t.params for t in study.trials] == [{"data.context": 1}, {"data.context": 2}]
    return sweep.name
