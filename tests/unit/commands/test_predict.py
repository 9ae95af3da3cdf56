"""framesweep predict."""

from types import SimpleNamespace

import pytest
import torch
from click.testing import CliRunner
from torch import nn

from configs import compose
from framesweep.commands.common import prediction_options
from framesweep.commands.predict import command
from framesweep.config.composition import register
from framesweep.data.phones import PhoneSet
from framesweep.errors import ConfigError, DataError
from framesweep.runs.ensembles import predictions
from framesweep.sweeps import studies

register()


def run(directory=None, overrides=()):
    """A trained run of three phones, whose network has as many parameters as its name says."""
    split = SimpleNamespace(num_frames=3)
    store = SimpleNamespace(phones=PhoneSet(("SIL", "AA", "B")), splits={"test": split})
    num_params = int(directory.name) if directory else 1
    model = nn.ParameterList([torch.zeros(num_params)])
    return SimpleNamespace(
        store=store,
        model=model,
        directory=directory,
        config=compose(["data=hw1p2"]),
        require_split=store.splits.__getitem__,
    )


@pytest.fixture(autouse=True)
def runs(monkeypatch):
    """The runs whose predictions the command asked for."""
    asked = []

    def average(runs, split):
        asked.extend(runs)
        return torch.eye(3)[[2, 0, 1]]

    monkeypatch.setattr(
        prediction_options, "load_runs", lambda run_ids, **_: [run() for _ in run_ids]
    )
    monkeypatch.setattr(predictions, "average_posteriors", average)
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
    monkeypatch.setattr(predictions, "load_trained_run", run)


def invoke(*arguments):
    return CliRunner().invoke(command, arguments, catch_exceptions=False)


@pytest.mark.parametrize(("labels", "column"), [("id", "2 0 1"), ("phone", "B SIL AA")])
def test_each_frame_is_a_line_of_the_file(tmp_path, labels, column):
    out = tmp_path / "out.csv"
    output = invoke("a", "--labels", labels, "--out", str(out)).output
    written = "numbers" if labels == "id" else "names"
    assert output.splitlines() == [
        f"3 frames of test written to {out}",
        "labels: 3 phones in a given order: 0 SIL, 1 AA, 2 B; " + written + " are written",
    ]
    lines = [f"{index},{label}" for index, label in enumerate(column.split())]
    assert out.read_text().split() == ["id,label", *lines]


def test_the_best_trials_of_a_study_form_an_ensemble(study, runs, tmp_path):
    result = invoke("--study", "s", "--top", "2", "--out", str(tmp_path / "out.csv"))
    assert [run.directory.name for run in runs] == ["50", "200"]
    assert result.stderr.startswith("trial 50: 50 parameters\ntrial 200: 200 parameters\n")
    assert "parameters" not in result.stdout


def test_a_trial_that_exceeds_the_budget_is_skipped(study, runs, tmp_path):
    invoke("--study", "s", "--max-params", "100", "--out", str(tmp_path / "out.csv"))
    assert [run.directory.name for run in runs] == ["50", "30"]


def test_a_budget_below_every_trial_is_an_error(study):
    with pytest.raises(ConfigError, match=r"^--max-params: must be large enough"):
        invoke("--study", "s", "--max-params", "10")


@pytest.fixture
def corpus(monkeypatch, tmp_path):
    """The folder of the corpus that the run was trained on."""
    folder = tmp_path / "corpus"
    folder.mkdir()
    config = compose(["data=hw1p2", f"data.root={folder}"])

    def loaded(run_ids, **_):
        return [SimpleNamespace(**{**vars(run()), "config": config}) for _ in run_ids]

    monkeypatch.setattr(prediction_options, "load_runs", loaded)
    return folder


def test_a_submission_takes_over_the_header_and_the_labels_of_its_sample(corpus, tmp_path):
    (corpus / "sample_submission.csv").write_text("Id,Label\n0,AA\n1,AA\n2,AA\n")
    out = tmp_path / "out.csv"
    output = invoke("a", "--format", "kaggle", "--out", str(out)).output
    assert out.read_text().split() == ["Id,Label", "0,B", "1,SIL", "2,AA"]
    assert output.endswith(f"those of {corpus / 'sample_submission.csv'}\n")
    with pytest.raises(ConfigError, match="--labels: must be phone"):
        invoke("a", "--format", "kaggle", "--labels", "id", "--out", str(out))


def test_a_submission_that_does_not_fit_its_sample_is_not_written(corpus, tmp_path, runs):
    (corpus / "sample_submission.csv").write_text("id,label\n0,AA\n1,AA\n")
    with pytest.raises(DataError, match=r"must have 3 rows below .* frame of test; found 2"):
        invoke("a", "--format", "kaggle", "--out", str(tmp_path / "out.csv"))
    assert not runs, "the error came after the predictions"
    assert not (tmp_path / "out.csv").exists()
    invoke("a", "--out", str(tmp_path / "out.csv"))
    assert (tmp_path / "out.csv").exists(), "a plain CSV is compared with nothing"


def test_a_missing_sample_is_said(corpus, tmp_path):
    output = invoke("a", "--format", "kaggle", "--out", str(tmp_path / "out.csv")).output
    names = "sample_submission.csv, random_submission.csv or sampleSubmission.csv"
    assert output.splitlines()[-1] == f"no {names} in {corpus} to compare the rows with"


@pytest.mark.parametrize("arguments", [[], ["a", "--study", "s"]])
def test_either_runs_or_a_study_are_required(arguments):
    result = invoke(*arguments)
    assert result.exit_code == 2
    assert "Give either RUN_ID or --study." in result.output


@pytest.mark.parametrize("option", ["--top", "--max-params", "--storage"])
def test_options_of_a_study_need_one(option):
    with pytest.raises(ConfigError, match=f"^{option}: needs --study"):
        invoke("a", option, "1")


def test_a_directory_is_no_file_to_write(tmp_path):
    result = invoke("x", "--out", str(tmp_path))
    assert result.exit_code == 2
    assert "is a directory" in result.output


def test_a_zip_file_is_what_another_command_writes(tmp_path, runs):
    rule = r"--out: must not end in \.zip, which framesweep submit writes"
    with pytest.raises(ConfigError, match=rule):
        invoke("a", "--out", str(tmp_path / "x.zip"))
    assert not runs, "the error came after the predictions"
