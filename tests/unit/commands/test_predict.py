"""framesweep predict."""

from types import SimpleNamespace

import pytest
import torch
from click.testing import CliRunner
from torch import nn

from framesweep.commands import predict
from framesweep.commands.predict import command
from framesweep.errors import ConfigError
from framesweep.runs import ensemble
from framesweep.sweeps import studies


def run(directory=None, overrides=()):
    """A trained run of three phones, whose network has as many parameters as its name says."""
    store = SimpleNamespace(phones=SimpleNamespace(names=("SIL", "AA", "B")))
    num_params = int(directory.name) if directory else 1
    model = nn.ParameterList([torch.zeros(num_params)])
    return SimpleNamespace(store=store, model=model, directory=directory)


@pytest.fixture(autouse=True)
def runs(monkeypatch):
    """The runs whose predictions the command asked for."""
    asked = []

    def average(runs, split):
        asked.extend(runs)
        return torch.eye(3)[[2, 0, 1]]

    monkeypatch.setattr(predict, "load_runs", lambda run_ids, **_: [run() for _ in run_ids])
    monkeypatch.setattr(ensemble, "average_posteriors", average)
    return asked


@pytest.fixture
def study(monkeypatch, tmp_path):
    """A study of trials with 50, 200 and 30 parameters, the best first."""
    trials = [SimpleNamespace(number=number) for number in (50, 200, 30)]
    found = SimpleNamespace(trials=trials)
    monkeypatch.setattr(studies, "load_study", lambda name, storage, outputs: found)
    monkeypatch.setattr(studies, "select_best_trials", lambda study, top: trials[:top])
    monkeypatch.setattr(
        studies,
        "get_trial_directory",
        lambda study, trial, outputs: tmp_path / str(trial.number),
    )
    monkeypatch.setattr(ensemble, "load_trained_run", run)


def invoke(*arguments):
    return CliRunner().invoke(command, arguments, catch_exceptions=False)


@pytest.mark.parametrize(("labels", "column"), [("id", "2 0 1"), ("phone", "B SIL AA")])
def test_each_frame_is_a_line_of_the_file(tmp_path, labels, column):
    out = tmp_path / "out.csv"
    output = invoke("a", "--labels", labels, "--out", str(out)).output
    assert output == f"3 frames of test written to {out}\n"
    lines = [f"{index},{label}" for index, label in enumerate(column.split())]
    assert out.read_text().split() == ["id,label", *lines]


def test_the_best_trials_of_a_study_form_an_ensemble(study, runs, tmp_path):
    output = invoke("--study", "s", "--top", "2", "--out", str(tmp_path / "out.csv")).output
    assert [run.directory.name for run in runs] == ["50", "200"]
    assert output.startswith("trial 50: 50 parameters\ntrial 200: 200 parameters\n")


def test_a_trial_that_exceeds_the_budget_is_skipped(study, runs, tmp_path):
    invoke("--study", "s", "--max-params", "100", "--out", str(tmp_path / "out.csv"))
    assert [run.directory.name for run in runs] == ["50", "30"]


def test_a_budget_below_every_trial_is_an_error(study):
    with pytest.raises(ConfigError, match=r"^--max-params: must be large enough"):
        invoke("--study", "s", "--max-params", "10")


@pytest.mark.parametrize("arguments", [[], ["a", "--study", "s"]])
def test_either_runs_or_a_study_are_required(arguments):
    result = invoke(*arguments)
    assert result.exit_code == 2
    assert "Give either RUN_ID or --study." in result.output


def test_a_directory_is_no_file_to_write(tmp_path):
    result = invoke("x", "--out", str(tmp_path))
    assert result.exit_code == 2
    assert "is a directory" in result.output
