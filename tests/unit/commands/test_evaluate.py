"""framesweep evaluate."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from framesweep.commands import evaluate
from framesweep.commands.evaluate import choose_split, command
from framesweep.data.phones import PhoneSet
from framesweep.errors import DataError
from framesweep.evaluation import report
from framesweep.runs.ensembles import predictions

PHONES = PhoneSet(("a", "b"))


@pytest.fixture(autouse=True)
def one_run(monkeypatch):
    labels = np.array([0, 1, 1, 0])
    split = SimpleNamespace(name="dev", labels=labels, lengths=np.array([4]))
    store: Any = SimpleNamespace(splits={"dev": split}, phones=PHONES)
    evaluation = SimpleNamespace(
        metrics=lambda: {"dev/accuracy": 0.75, "dev/loss": 1.5}, confusion="confusion"
    )
    monkeypatch.setattr(
        evaluate, "load_runs", lambda run_ids, **_: [SimpleNamespace(store=store)]
    )
    monkeypatch.setattr(predictions, "evaluate_runs", lambda runs, split: evaluation)
    monkeypatch.setattr(
        predictions, "predict_smoothed", lambda runs, split: np.array([0, 1, 0, 0])
    )


def lines(*arguments):
    result = CliRunner().invoke(
        command, ["run", "--split", "dev", *arguments], catch_exceptions=False
    )
    return [line.split() for line in result.output.splitlines()]


def test_metrics_are_printed():
    assert lines() == [["dev/accuracy", "0.7500"], ["dev/loss", "1.5000"]]


def test_smoothed_predictions_are_compared_with_the_labels():
    assert lines("--smooth")[2:] == [
        ["dev/smoothed_accuracy", "0.7500"],
        # Both are a b a; only their frames differ.
        ["dev/smoothed_phone_error_rate", "0.0000"],
    ]


def test_the_files_of_a_report_are_named(monkeypatch, tmp_path):
    def write(directory, history, confusion, phones):
        assert (history, confusion, phones) == ([], "confusion", PHONES)
        return [directory / "phones.csv"]

    monkeypatch.setattr(report, "write_report", write)
    assert lines("--report", str(tmp_path))[-1] == [str(tmp_path / "phones.csv")]


def split(labels):
    return SimpleNamespace(labels=labels)


@pytest.mark.parametrize(
    ("splits", "chosen", "note"),
    [
        ({"dev": [0], "test": [0]}, "test", ""),
        ({"dev": [0], "test": None}, "dev", "split: dev, because test has no labels\n"),
        ({"dev": [0]}, "dev", "split: dev, because test does not exist\n"),
    ],
)
def test_the_split_is_the_one_with_labels(capsys, splits, chosen, note):
    store: Any = SimpleNamespace(name="c", splits={k: split(v) for k, v in splits.items()})
    assert choose_split(store) == chosen
    assert capsys.readouterr().err == note


def test_a_corpus_without_labels_is_a_one_line_error():
    store: Any = SimpleNamespace(name="c", splits={"test": split(None)})
    with pytest.raises(DataError, match=r"^c: must have labels of test or dev"):
        choose_split(store)
