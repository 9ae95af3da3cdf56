"""The zip file for graders has all they ask for, no password, and is written whole or not."""

import json
import zipfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from torch import nn

from framesweep.data.phones import PhoneSet
from framesweep.errors import CheckpointError
from framesweep.runs.reporting.history import History, write_history
from framesweep.runs.submission import format_csv
from framesweep.runs.submission_zip import write_zip

HISTORY = [{"dev/accuracy": 0.25}, {"dev/accuracy": 0.5, "dev/loss": 1.5}]


def run_in(directory: Path) -> Any:
    """Return a trained run of three phones, with a password in its config and log."""
    (directory / "model").mkdir(parents=True)
    (directory / "report").mkdir()
    secret = "tracking: postgresql://me:hunter2@host/db\n"
    (directory / "model" / "config.yaml").write_text(secret)
    (directory / "train.log").write_text(secret)
    (directory / "report" / "per_phone.csv").write_text("phone,recall\n")
    write_history(directory, History(HISTORY, 2))
    store = SimpleNamespace(phones=PhoneSet(("[SIL]", "AA", "B")))
    config = SimpleNamespace(objective="dev/accuracy")
    return SimpleNamespace(
        directory=directory, config=config, store=store, model=nn.Linear(4, 3)
    )


def test_the_zip_has_what_graders_ask_for(tmp_path: Path) -> None:
    run = run_in(tmp_path / "run")
    text = format_csv([0, 2, 1], run.store.phones.names, "phone", None)
    out = tmp_path / "submission.zip"
    write_zip(out, text, [run])
    with zipfile.ZipFile(out) as archive:
        files = {name: archive.read(name).decode() for name in archive.namelist()}
    assert files.keys() == {
        *("submission.csv", "config.yaml", "architecture.txt", "metrics.csv", "train.log"),
        *("report/history.csv", "report/per_phone.csv", "summary.json"),
    }
    assert files["submission.csv"].split() == ["id,label", "0,[SIL]", "1,B", "2,AA"]
    assert files["metrics.csv"].split() == [
        "epoch,dev/accuracy,dev/loss",
        "1,0.25,",
        "2,0.5,1.5",
    ]
    assert "Linear(in_features=4" in files["architecture.txt"]
    assert "15 parameters" in files["architecture.txt"]
    summary = json.loads(files["summary.json"])
    assert (summary["rows"], summary["total_params"]) == (3, 15)
    assert summary["runs"][0]["metrics"] == HISTORY[1]
    assert not any("hunter2" in text for text in files.values())


def test_the_runs_of_an_ensemble_have_a_folder_each(tmp_path: Path) -> None:
    runs = [run_in(tmp_path / "a"), run_in(tmp_path / "b")]
    write_zip(tmp_path / "submission.zip", "id,label\n", runs)
    with zipfile.ZipFile(tmp_path / "submission.zip") as archive:
        names = set(archive.namelist())
        assert json.loads(archive.read("summary.json"))["total_params"] == 30
    assert {"run1/config.yaml", "run2/metrics.csv", "submission.csv"} <= names


def test_a_run_that_is_named_twice_has_one_folder(tmp_path: Path) -> None:
    a, b = run_in(tmp_path / "a"), run_in(tmp_path / "b")
    write_zip(tmp_path / "submission.zip", "id,label\n", [a, b, a])
    with zipfile.ZipFile(tmp_path / "submission.zip") as archive:
        folders = {name.partition("/")[0] for name in archive.namelist() if "/" in name}
        summary = json.loads(archive.read("summary.json"))
    assert folders == {"run1", "run2"}
    weights = [(run["directory"], run["weight"]) for run in summary["runs"]]
    assert weights == [("a", 2), ("b", 1)]


def test_a_zip_that_fails_leaves_the_earlier_one(tmp_path: Path) -> None:
    run, out = run_in(tmp_path / "run"), tmp_path / "submission.zip"
    out.write_text("earlier")
    (run.directory / "report" / "history.csv").write_bytes(b"damaged")
    with pytest.raises(CheckpointError):
        write_zip(out, "id,label\n", [run])
    assert out.read_text() == "earlier"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run", "submission.zip"]
