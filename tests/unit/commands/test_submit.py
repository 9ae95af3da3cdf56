"""framesweep submit."""

from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from configs import compose
from framesweep.commands import submit
from framesweep.commands.submit import command
from framesweep.config.composition import register
from framesweep.data.phones import PhoneSet
from framesweep.errors import ConfigError, DataError
from framesweep.runs import submission_zip

register()


@pytest.fixture
def written(monkeypatch, tmp_path):
    """What the command wrote: the file, the CSV and the runs."""
    split = SimpleNamespace(num_frames=3)
    store = SimpleNamespace(phones=PhoneSet(("SIL", "AA", "B")), splits={"test": split})
    run = SimpleNamespace(
        store=store,
        directory=tmp_path,
        config=compose(["data=hw1p2_folders", f"data.root={tmp_path}"]),
        model=SimpleNamespace(parameters=list),
        require_split=store.splits.__getitem__,
    )
    files: list = []
    monkeypatch.setattr(submit, "choose_runs", lambda **_: [run])
    monkeypatch.setattr(submit, "predict_split", lambda runs, split, smooth: [2, 0, 1])
    monkeypatch.setattr(submission_zip, "write_zip", lambda *arguments: files.append(arguments))
    return files


def test_the_names_of_phones_are_submitted(written, tmp_path):
    out = tmp_path / "submission.zip"
    result = CliRunner().invoke(command, ["a", "--out", str(out)], catch_exceptions=False)
    ((path, text, _),) = written
    assert path == out
    assert text.split() == ["id,label", "0,B", "1,SIL", "2,AA"]
    first, labels, check = result.output.splitlines()
    assert first == f"3 frames of test, 0 parameters written to {out}"
    assert labels.endswith("; names are written")
    names = "sample_submission.csv, random_submission.csv or sampleSubmission.csv"
    assert check.startswith(f"no {names} in ")


def test_a_submission_that_does_not_fit_its_sample_is_not_written(written, tmp_path):
    (tmp_path / "sample_submission.csv").write_text("id,label\n0,AA\n")
    with pytest.raises(DataError, match=r"must have 3 rows below .*; found 1"):
        CliRunner().invoke(command, ["a"], catch_exceptions=False)
    assert not written


def test_a_csv_file_is_what_another_command_writes(written, tmp_path):
    rule = r"--out: must not end in \.csv, which framesweep predict --format kaggle writes"
    with pytest.raises(ConfigError, match=rule):
        CliRunner().invoke(
            command, ["a", "--out", str(tmp_path / "submission.CSV")], catch_exceptions=False
        )
    assert not written
