"""Runs and studies are offered by what can be typed for them."""

from pathlib import Path

import optuna
import pytest

from framesweep.catalog import RunRecord
from framesweep.completion import candidates
from framesweep.completion.candidates import (
    Candidate,
    find_outputs_folder,
    list_run_candidates,
    list_study_candidates,
    starting_with,
)


def test_runs_are_offered_by_short_id_with_their_accuracy(monkeypatch, tmp_path):
    run = RunRecord(
        id="0123456789",
        run_id="0123456789",
        name="model=wide",
        directory=tmp_path,
        state="finished",
        start=0,
        metrics={"best/accuracy": 0.5},
    )
    monkeypatch.setattr(candidates, "list_runs", lambda uri, outputs: [run])
    last, best, one = list_run_candidates(tmp_path)
    assert (last.text, best.text) == ("last", "best")
    assert one == Candidate("01234567", note="model=wide, 0.5000")


def test_without_runs_nothing_is_offered(tmp_path):
    assert list_run_candidates(tmp_path) == []


def test_studies_are_those_of_the_database(tmp_path):
    assert list_study_candidates(tmp_path) == []
    for name in ("first", "second"):
        optuna.create_study(study_name=name, storage=f"sqlite:///{tmp_path}/studies.db")
    assert [one.text for one in list_study_candidates(tmp_path)] == ["second", "first"]


def test_a_damaged_database_offers_nothing(tmp_path):
    (tmp_path / "studies.db").write_text("no database")
    assert list_study_candidates(tmp_path) == []


def test_the_outputs_folder_is_that_of_the_line_or_the_environment(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.delenv("FRAMESWEEP_OUTPUTS", raising=False)
    assert find_outputs_folder(None) == Path("outputs")
    monkeypatch.setenv("FRAMESWEEP_OUTPUTS", "")
    assert find_outputs_folder(None) == Path("outputs")
    monkeypatch.setenv("FRAMESWEEP_OUTPUTS", "/elsewhere")
    assert find_outputs_folder(None) == Path("/elsewhere")
    assert find_outputs_folder("~/mine") == Path.home() / "mine"


def test_only_what_begins_as_typed_is_offered():
    listed = [Candidate("a"), Candidate("ab"), Candidate("b")]
    assert [one.text for one in starting_with("a", listed)] == ["a", "ab"]
