"""Outputs written before the package was restructured keep working.

`tests/earlier_outputs/create.py` made them at commit be4673b. What was measured then comes with
them; bits may differ between processors, so numbers are compared within a tolerance.
"""

import csv
import json
import subprocess
import sys

import pytest
import yaml

from earlier_outputs.contents import EarlierOutputs, restore

pytestmark = pytest.mark.heavy

PRINTED = 1.01e-4
"""Tolerance for a number that is printed with four decimals."""
TRAINED = 1e-2
"""Tolerance for a few dozen steps of training on another processor, or in other passes over a
layer, each of which rounds gradients to bfloat16. With batches of two frames, such a difference
grows to 0.003; without the state of the optimizer, losses differ by 0.05."""


@pytest.fixture(scope="module")
def restored(tmp_path_factory) -> EarlierOutputs:
    return restore(tmp_path_factory.mktemp("earlier"))


@pytest.fixture(scope="module")
def read_only(restored, make_shell):
    """The outputs for commands that only read them, and a shell that runs there."""
    return restored, make_shell(restored.folder)


@pytest.fixture
def earlier(tmp_path, make_shell):
    """Outputs of the test's own, and a shell that runs there."""
    earlier = restore(tmp_path / "earlier")
    return earlier, make_shell(earlier.folder)


def prepared_files(earlier):
    """Which files the cache consists of; a store that is prepared again has others."""
    files = (path for path in (earlier.outputs / "cache").rglob("*") if path.is_file())
    return {(str(path), path.stat().st_ino, path.stat().st_mtime_ns) for path in files}


def assert_same_metrics(found, expected, tolerance):
    """Compare metrics by name and epoch; accuracies may differ by one of 90 frames.

    Later versions log more metrics, and of those of the best epoch only the objective, after
    every epoch instead of at the end.
    """
    lasting = {
        name: values
        for name, values in expected.items()
        if name == "best/accuracy" or not name.startswith("best/")
    }
    assert found.keys() >= lasting.keys()
    for name, values in lasting.items():
        by_epoch = {int(epoch): value for epoch, value in values.items()}
        allowed = 1 / 40 if name.endswith("accuracy") else tolerance
        logged = {epoch: found[name].get(epoch) for epoch in by_epoch}
        if name == "dev/smoothed_accuracy":
            # Later versions find better strengths, and the last epoch is smoothed anew.
            last = max(by_epoch)
            by_epoch[last] = max(by_epoch[last], logged[last] or 0.0)
        assert logged == pytest.approx(by_epoch, abs=allowed), name
        if name != "best/accuracy":
            assert found[name].keys() == by_epoch.keys(), name


@pytest.mark.parametrize("name", ["finished", "interrupted", "tdnn"])
def test_an_earlier_run_resumes_in_its_mlflow_run_as_it_would_have_then(earlier, name):
    earlier, shell = earlier
    run_id, resumed = earlier.expected["runs"][name], earlier.expected["resumed"][name]
    logged, prepared = earlier.metrics(run_id), prepared_files(earlier)
    runs = earlier.query("select count(*) from runs")

    shell.train(f"resume={run_id}", f"train.epochs={resumed['epochs']}")

    assert earlier.query("select count(*) from runs") == runs
    assert earlier.query("select status from runs where run_uuid = ?", run_id) == [
        ("FINISHED",)
    ]
    after = earlier.metrics(run_id)
    for metric in ("train/loss", "dev/loss", "dev/accuracy"):
        assert logged[metric].items() <= after[metric].items()
        assert list(after[metric]) == list(range(1, resumed["epochs"] + 1))
    assert_same_metrics(after, resumed["metrics"], TRAINED)
    assert prepared_files(earlier) == prepared
    sql = "select count(*) from logged_models where source_run_id = ? and lifecycle_stage = ?"
    assert earlier.query(sql, run_id, "active") == [(int(name != "tdnn"),)]


@pytest.mark.parametrize("name", ["finished", "tdnn"])
def test_an_earlier_run_is_evaluated_and_predicts_as_then(read_only, name):
    earlier, shell = read_only
    run_id, prepared = earlier.expected["runs"][name], prepared_files(earlier)

    printed = shell.framesweep("evaluate", run_id, "--split", "dev").stdout
    measured = {line.split()[0]: float(line.split()[1]) for line in printed.splitlines()}
    expected = earlier.expected["evaluated"][name]
    # Later versions print more metrics.
    assert {metric: measured[metric] for metric in expected} == pytest.approx(
        expected, abs=PRINTED
    )

    shell.framesweep("predict", run_id, "--split", "test", "--out", "predictions.csv")
    with (shell.folder / "predictions.csv").open(newline="") as file:
        predictions = [int(row["label"]) for row in csv.DictReader(file)]
    assert predictions == earlier.expected["predicted"][name]
    assert prepared_files(earlier) == prepared


def test_an_earlier_study_is_reported_on(read_only):
    earlier, shell = read_only
    study = earlier.expected["studies"]["study"]
    winner = max(
        earlier.expected["trials"][study], key=lambda trial: float(trial["dev/accuracy"])
    )

    printed = shell.framesweep("best", study).stdout
    command = printed.strip().splitlines()[-1]
    then = earlier.expected["best"].strip().splitlines()[-1].split()
    assert then[:2] == ["python", "train.py"]
    # A single run has no sweep; earlier versions printed one all the same.
    overrides = [word for word in then[2:] if not word.startswith("sweep=")]
    assert command.split() == ["framesweep", "train", *overrides]
    assert f"model.dropout={winner['model.dropout']}" in command.split()

    # The comparison over seeds is in a table, so that nothing is trained again.
    runs = earlier.query("select count(*) from runs")
    printed = shell.framesweep("best", study, "--top", "2", "--seeds", "2").stdout
    assert printed.count("±") == 3
    assert earlier.query("select count(*) from runs") == runs


def test_earlier_runs_are_compared_by_the_params_and_metrics_logged_then(read_only):
    earlier, shell = read_only
    ids = [earlier.expected["runs"][name] for name in ("finished", "tdnn")]
    printed = shell.framesweep("compare", *ids).stdout
    rows = {tuple(line.split()) for line in printed.splitlines()}
    expected = {tuple(line.split()) for line in earlier.expected["compared"].splitlines()}
    assert expected <= rows


def test_an_earlier_study_is_continued_under_its_mlflow_parent(earlier):
    earlier, shell = earlier
    study = earlier.expected["studies"]["study"]
    parent, before = earlier.expected["parents"][study], earlier.expected["trials"][study]
    command = earlier.expected["commands"]["study"]
    assert command[-1] == "hydra.sweeper.n_trials=3"

    shell.train(*command[:-1], "hydra.sweeper.n_trials=4")

    folder = earlier.outputs / "sweeps" / study
    with (folder / "trials.csv").open(newline="") as file:
        trials = list(csv.DictReader(file))
    assert [{key: row[key] for key in before[0]} for row in trials[:3]] == before
    assert [row["state"] for row in trials[3:]] in (["COMPLETE"], ["PRUNED"])
    assert earlier.query(
        "select count(*) from tags where key = 'mlflow.parentRunId' and value = ?", parent
    ) == [(3 + 4 + 1,)]  # trials, runs over seeds, the new trial
    values = earlier.metrics(parent)["best_value"]
    assert list(values) == list(range(1, 4 + (trials[3]["state"] == "COMPLETE")))
    (best,) = yaml.safe_load((folder / "best.yaml").read_text())["best"]
    assert best["dev/accuracy"] == max(values.values())


def test_an_earlier_ablation_is_continued_and_reported_under_the_groups_earlier_name(earlier):
    earlier, shell = earlier
    study, command = (earlier.expected[key]["ablation"] for key in ("studies", "commands"))
    assert command[-1] == "hydra.sweeper.n_trials=1"

    done = shell.train(*command[:-1], "hydra.sweeper.n_trials=2")

    assert "Type ablation=" in done.stderr
    folder = earlier.outputs / "sweeps" / study
    assert {path.name for path in folder.parent.iterdir()} == set(
        earlier.expected["studies"].values()
    )
    with (folder / "trials.csv").open(newline="") as file:
        trials = list(csv.DictReader(file))
    first = earlier.expected["trials"][study]
    assert [{key: row[key] for key in first[0]} for row in trials[:1]] == first
    assert {row["lever"] for row in trials} == {"none", "relu"}
    with (folder / "ablation.csv").open(newline="") as file:
        assert {row["ablation"] for row in csv.DictReader(file)} == {"none", "relu"}
    for row in trials:
        config = yaml.safe_load((folder / row["number"] / "config.yaml").read_text())["config"]
        assert config["model"]["activation"] == {"none": "gelu", "relu": "relu"}[row["lever"]]


@pytest.mark.parametrize("first", ["", "import framesweep.cli"])
def test_a_model_logged_earlier_is_loaded_by_mlflow(restored, tmp_path, first):
    """The model brings the package's code of its time; what is imported first goes first."""
    asked = restored.expected["pyfunc"]
    (tmp_path / "ask.py").write_text(
        f"{first}\n"
        "import json, sys\n"
        "import mlflow, numpy as np\n"
        "asked = json.load(sys.stdin)\n"
        "model = mlflow.pyfunc.load_model(asked['folder'])\n"
        "features = np.array(asked['features'], dtype=np.float32)\n"
        "print(json.dumps(model.predict(features).tolist()))\n"
    )
    done = subprocess.run(
        [sys.executable, tmp_path / "ask.py"],
        cwd=tmp_path,
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == asked["phones"]
