"""Searches and grids by the real commands: what is logged, resumed and printed after."""

import csv
import os
import re
import signal
import time
from typing import Any

import mlflow
import numpy as np
import optuna
import pytest
import yaml
from optuna.trial import TrialState

STUDY = "dropout-width-lr"
TRIALS = 6


class Search:
    """A search over the toy corpus, in a folder of its own."""

    def __init__(self, shell) -> None:
        self.shell = shell
        self.result: Any = None
        small = [a for a in shell.small if not a.startswith("model.")]
        self.command = [
            "-m",
            "sweep=bare",
            *[a for a in small if not a.startswith(("hardware.threads", "train.epochs"))],
            "train.epochs=3",
            "model.widths=null",
            "model.depth=1",
            "model.width=choice(8,16,32)",
            "model.dropout=interval(0.0,0.5)",
            "optim.lr=tag(log, interval(1e-5,1e-2))",
            "hydra.sweeper.n_jobs=2",
            "hydra.sweeper.pruner.n_startup_trials=2",
        ]

    @property
    def outputs(self):
        return self.shell.folder / "outputs"

    @property
    def folder(self):
        return self.outputs / "sweeps" / STUDY

    def study(self) -> optuna.Study:
        return optuna.load_study(
            study_name=STUDY, storage=f"sqlite:///{self.outputs}/studies.db"
        )

    def runs(self):
        """MLflow's runs: the search's parent, and its children by trial."""
        client = mlflow.MlflowClient(f"sqlite:///{self.outputs}/mlflow.db")
        runs = client.search_runs(["1"], f"tags.study = '{STUDY}'")
        (parent,) = [run for run in runs if "trial" not in run.data.tags]
        return client, parent, {int(r.data.tags["trial"]): r for r in runs if r is not parent}


@pytest.fixture(scope="module")
def search(tmp_path_factory, make_shell):
    """Killed in its first trials, then run to its total."""
    search = Search(make_shell(tmp_path_factory.mktemp("search")))
    search.shell.pictures = True
    process = search.shell.start(
        *search.command,
        f"hydra.sweeper.n_trials={TRIALS}",
        start_new_session=True,
        warm_workers=True,
    )
    end = time.monotonic() + 600
    while not list(search.folder.glob("*/checkpoints/last.pt")):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    search.result = search.shell.train(*search.command, f"hydra.sweeper.n_trials={TRIALS}")
    return search


@pytest.mark.heavy
def test_a_killed_search_completes_its_total(search):
    trials = search.study().trials
    states = [trial.state for trial in trials]
    assert len(trials) == TRIALS
    assert set(states) <= {TrialState.COMPLETE, TrialState.PRUNED}
    assert "resumed" in search.result.stdout
    assert "Traceback" not in search.result.stdout + search.result.stderr


@pytest.mark.heavy
def test_trials_are_nested_tagged_and_named_by_their_searched_values(search):
    _, parent, children = search.runs()
    assert parent.info.status == "FINISHED"
    assert sorted(children) == list(range(TRIALS))
    for trial in search.study().trials:
        run = children[trial.number]
        assert run.data.tags["mlflow.parentRunId"] == parent.info.run_id
        pruned = trial.state is TrialState.PRUNED
        assert run.info.status == ("KILLED" if pruned else "FINISHED")
        assert ("pruned" in run.data.tags) == pruned
        assert run.info.run_name.startswith("[pruned] trial" if pruned else "trial")
        first = sorted(run.data.params)[: len(trial.params)]
        assert first == sorted(f"_swept/{key}" for key in trial.params)
        for key, value in trial.params.items():
            assert run.data.params[f"_swept/{key}"] == str(value)


@pytest.mark.heavy
def test_the_parent_has_the_best_value_so_far_a_table_and_plots(search):
    client, parent, _ = search.runs()
    history = client.get_metric_history(parent.info.run_id, "best_value")
    values = [m.value for m in sorted(history, key=lambda m: m.step)]
    study = search.study()
    assert values == sorted(values)
    assert values[-1] == study.best_value
    assert [m.step for m in history] == list(range(1, len(history) + 1))

    names = {a.path for a in client.list_artifacts(parent.info.run_id)}
    assert {"trials.csv", "best.yaml", "plots"} <= names
    plots = {a.path for a in client.list_artifacts(parent.info.run_id, "plots")}
    for plot in ("history", "intermediate_values", "slice", "timeline", "parallel"):
        assert f"plots/{plot}.png" in plots
    with (search.folder / "trials.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["state"] for row in rows] == [trial.state.name for trial in study.trials]
    best = yaml.safe_load((search.folder / "best.yaml").read_text())["best"][0]
    assert best["trial"] == study.best_trial.number
    results = yaml.safe_load((search.folder / "optimization_results.yaml").read_text())
    assert results == {
        "name": "optuna",
        "best_params": study.best_params,
        "best_value": study.best_value,
    }


@pytest.mark.heavy
def test_a_search_that_has_its_total_says_so_trains_nothing_and_writes_its_files(search):
    before = [trial.datetime_complete for trial in search.study().trials]
    table = search.shell.folder / "outputs" / "sweeps" / STUDY / "trials.csv"
    table.unlink()
    result = search.shell.train(*search.command, f"hydra.sweeper.n_trials={TRIALS}")
    assert f"{TRIALS} of {TRIALS} trials are done" in result.stdout
    assert f"best: {search.study().best_value:.6g}" in result.stdout
    assert [trial.datetime_complete for trial in search.study().trials] == before
    assert table.exists()


@pytest.mark.heavy
def test_a_command_that_contradicts_the_study_is_rejected(search):
    command = [a.replace("0.5", "0.4") for a in search.command]
    result = search.shell.train(*command, "hydra.sweeper.n_trials=9", code=2)
    assert "interval(0.0, 0.5)  interval(0.0, 0.4)" in result.stderr
    assert "sweep.new=true" in result.stderr
    assert "Traceback" not in result.stderr
    assert len(search.study().trials) == TRIALS


@pytest.mark.heavy
def test_best_prints_the_command_that_trains_the_winner(search):
    output = search.shell.framesweep("best", STUDY).stdout
    best = search.study().best_trial
    assert f"train trial {best.number} again" in output
    command = output.strip().splitlines()[-1].split()
    assert command[:2] == ["framesweep", "train"]
    assert f"optim.lr={best.params['optim.lr']}" in command
    missing = search.shell.framesweep("best", "nothing", code=2)
    assert STUDY in missing.stderr


@pytest.mark.heavy
def test_best_retrains_the_leaders_over_seeds(search):
    arguments = ["best", STUDY, "--top", "2", "--seeds", "2"]
    output = search.shell.framesweep(*arguments).stdout
    assert output.count("±") == 3
    assert output.splitlines()[-1].startswith("  framesweep train ")
    table = (search.folder / "seeds.csv").read_text()
    assert len(table.splitlines()) == 5
    assert search.shell.framesweep(*arguments).stdout == output
    assert (search.folder / "seeds.csv").read_text() == table


@pytest.mark.heavy
def test_trials_can_be_compared_reproduced_and_averaged(search, corpus):
    _, _, children = search.runs()
    done = [t.number for t in search.study().trials if t.state is TrialState.COMPLETE]
    ids = [children[number].info.run_id for number in done[:2]]
    output = search.shell.framesweep("compare", *ids).stdout
    assert "model.dropout" in output
    assert "train.epochs" not in output
    assert "best/accuracy" in output

    output = search.shell.framesweep("reproduce", ids[0]).stdout
    assert "equal to the last bit" in output

    arguments = ["predict", "--study", STUDY, "--top", "2", "--out", "ensemble.csv"]
    output = search.shell.framesweep(*arguments).stderr
    assert output.count("parameters") == 2
    assert len((search.shell.folder / "ensemble.csv").read_text().splitlines()) == 121
    search.shell.framesweep(*arguments, "--max-params", "3", code=2)

    search.shell.framesweep("predict", *ids, "--split", "dev", "--out", "dev.csv")
    with (search.shell.folder / "dev.csv").open(newline="") as file:
        predictions = np.array([int(row["label"]) for row in csv.DictReader(file)])
    labels = np.concatenate(np.load(corpus / "dev_labels.npy", allow_pickle=True))
    output = search.shell.framesweep("evaluate", *ids, "--split", "dev").stdout
    measured = dict(line.split() for line in output.splitlines())
    expected = (predictions == labels).mean()
    assert float(measured["dev/accuracy"]) == pytest.approx(expected, abs=1e-4)


def without_context(shell):
    """The arguments of a small run but its context, which is searched."""
    return [a for a in shell.small if not a.startswith("data.context")]


def test_a_grid_has_one_parent_run(shell):
    small = without_context(shell)
    shell.train("-m", *small, "train.epochs=1", "data.context=1,2", "optim=adam,sgd")
    client = mlflow.MlflowClient(f"sqlite:///{shell.folder}/outputs/mlflow.db")
    runs = client.search_runs(["1"])
    (parent,) = [run for run in runs if "mlflow.parentRunId" not in run.data.tags]
    children = [run for run in runs if run is not parent]
    assert parent.info.status == "FINISHED"
    assert len(children) == 4
    winner = max(children, key=lambda run: run.data.metrics["best/accuracy"])
    assert parent.data.metrics["best/accuracy"] == winner.data.metrics["best/accuracy"]
    won = {key: parent.data.params[key] for key in ("_swept/data.context", "_swept/optim")}
    assert parent.data.params == {"data.context": "1,2", "optim": "adam,sgd", **won}
    (best,) = [run for run in children if won.items() <= run.data.params.items()]
    assert best.data.metrics["best/accuracy"] == winner.data.metrics["best/accuracy"]
    swept = sorted(
        (r.data.params["_swept/data.context"], r.data.params["_swept/optim"]) for r in children
    )
    assert swept == [("1", "adam"), ("1", "sgd"), ("2", "adam"), ("2", "sgd")]
    assert {r.data.tags["mlflow.parentRunId"] for r in children} == {parent.info.run_id}


@pytest.mark.heavy
def test_hydras_optuna_sweeper_searches_for_the_better_values_of_the_objective(shell):
    search = ["hydra/sweeper=optuna", "hydra.sweeper.n_trials=2", "hydra.sweeper.n_jobs=1"]
    small = [*without_context(shell), "train.epochs=1"]
    done = shell.train("-m", *search, *small, "data.context=choice(1,2)")
    assert "Directions: ['maximize']" in done.stdout + done.stderr
    assert "2 of 2 runs have finished" in done.stdout + done.stderr


@pytest.mark.heavy
def test_a_study_without_a_storage_is_kept_in_its_folder_and_its_last_lines_say_so(shell):
    search = ["sweep=bare", "hydra.sweeper.storage=null", "hydra.sweeper.study_name=own"]
    small = [*without_context(shell), "train.epochs=1"]
    command = ["-m", *search, *small, "data.context=choice(1,2)"]
    shell.train(*command, "hydra.sweeper.n_trials=1")
    done = shell.train(*command, "hydra.sweeper.n_trials=2")
    assert "study own: 1 of 2 trials are done" in done.stdout
    (printed,) = re.findall(r"next: framesweep (best own --storage \S+)", done.stdout)
    assert "data.context=" in shell.framesweep(*printed.split()).stdout
