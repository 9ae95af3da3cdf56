"""The table of runs."""

from datetime import UTC, datetime

import pytest

from framesweep.catalog import RunRecord
from framesweep.errors import ConfigError
from framesweep.runs.reporting import run_table
from framesweep.runs.reporting.run_table import COLUMNS, tabulate_runs


def test_a_row_per_run_with_its_metrics(monkeypatch, tmp_path):
    records = [
        RunRecord(id="b", run_id="b", name="two", directory=tmp_path / "b", state="running",
                  start=60.5, metrics={"dev/accuracy": 0.5}),
        RunRecord(id="a", run_id="", name="", directory=tmp_path / "a", state="finished",
                  start=0.0, epochs=3),
    ]  # fmt: skip
    asked = []
    monkeypatch.setattr(run_table, "list_runs", lambda *given: asked.append(given) or records)
    table = tabulate_runs(outputs=tmp_path, uri="sqlite:///x.db")
    assert asked == [("sqlite:///x.db", tmp_path)]
    assert table["id"].tolist() == ["b", "a"]
    assert table["start"][0] == datetime(1970, 1, 1, 0, 1, tzinfo=UTC)
    assert table["epochs"].fillna(0).tolist() == [0, 3]
    assert table["dev/accuracy"].fillna(0).tolist() == [0.5, 0.0]


@pytest.mark.parametrize(
    ("outputs", "line"),
    [
        (5, "outputs: must be the path of a folder; found 5"),
        ("nope", "outputs: must be an existing folder; found 'nope'"),
    ],
)
def test_a_folder_that_is_not_there_is_no_empty_table(outputs, line):
    with pytest.raises(ConfigError, match=line):
        tabulate_runs(outputs)


def test_without_runs_the_table_is_empty_and_has_its_columns(tmp_path, monkeypatch):
    monkeypatch.setenv("FRAMESWEEP_OUTPUTS", str(tmp_path / "none"))
    table = tabulate_runs()
    assert table.empty
    assert tuple(table.columns) == COLUMNS
