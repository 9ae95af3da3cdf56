"""framesweep evaluate."""

from types import SimpleNamespace

import numpy as np
import pytest
from click.testing import CliRunner

from framesweep.commands import evaluate
from framesweep.commands.evaluate import command
from framesweep.evaluation import report
from framesweep.runs import ensemble


@pytest.fixture(autouse=True)
def one_run(monkeypatch):
    labels = np.array([0, 1, 1, 0])
    store = SimpleNamespace(splits={"dev": SimpleNamespace(labels=labels)}, phones="phones")
    evaluation = SimpleNamespace(
        metrics=lambda: {"dev/accuracy": 0.75, "dev/loss": 1.5}, confusion="confusion"
    )
    monkeypatch.setattr(
        evaluate, "load_runs", lambda run_ids, **_: [SimpleNamespace(store=store)]
    )
    monkeypatch.setattr(ensemble, "evaluate_runs", lambda runs, split: evaluation)
    monkeypatch.setattr(
        ensemble, "predict_smoothed", lambda runs, split: np.array([0, 1, 0, 0])
    )


def lines(*arguments):
    result = CliRunner().invoke(
        command, ["run", "--split", "dev", *arguments], catch_exceptions=False
    )
    return [line.split() for line in result.output.splitlines()]


def test_metrics_are_printed():
    assert lines() == [["dev/accuracy", "0.7500"], ["dev/loss", "1.5000"]]


def test_smoothed_predictions_are_compared_with_the_labels():
    assert lines("--smooth")[-1] == ["dev/smoothed_accuracy", "0.7500"]


def test_the_files_of_a_report_are_named(monkeypatch, tmp_path):
    def write(directory, history, confusion, phones):
        assert (history, confusion, phones) == ([], "confusion", "phones")
        return [directory / "phones.csv"]

    monkeypatch.setattr(report, "write_report", write)
    assert lines("--report", str(tmp_path))[-1] == [str(tmp_path / "phones.csv")]
