"""Recording trainings: continued after an interruption, and complete before it is a table."""

import json
from pathlib import Path
from typing import Any

import pytest

import framesweep
from framesweep.bench.corpus import write_corpus
from framesweep.bench.search import record
from framesweep.bench.search.grid import AXES, NUM_EPOCHS, list_points, name_point
from framesweep.bench.search.table import load_table

POINTS = list_points()[:2]


@pytest.fixture
def corpus(tmp_path, monkeypatch) -> str:
    monkeypatch.setattr(record, "list_points", lambda: POINTS)
    monkeypatch.setattr(record, "WARM_UP", ())
    return str(write_corpus(tmp_path, 2500, feature_dim=8))


def test_a_recording_continues_where_it_stopped(corpus, tmp_path) -> None:
    done: dict[str, Any] = {"point": " ".join(name_point(POINTS[0]))}
    done |= {"accuracies": [0.5] * NUM_EPOCHS, "seconds": [1.0] * NUM_EPOCHS}
    folder = tmp_path / "recording"
    folder.mkdir()
    cut = '{"point": "data.con'
    (folder / record.LINES).write_text(json.dumps(done) + "\n" + cut)
    record.main([corpus, str(folder), "--utterances", "50"])
    table = load_table(folder / record.TABLE)
    assert table.axes["optim.lr"] == [point[list(AXES).index("optim.lr")] for point in POINTS]
    assert table.accuracy.shape == (1, 1, 1, 1, 2, 1, NUM_EPOCHS)
    assert table.accuracy[..., 0, 0, :].ravel().tolist() == [0.5] * NUM_EPOCHS
    new = table.accuracy[..., 1, 0, :]
    assert ((new > 0) & (new < 0.5)).all()
    assert (table.seconds[..., 1, 0, :] > 0).all()


def test_processes_record_what_one_would(corpus, tmp_path, monkeypatch) -> None:
    # A model that another test has loaded may have put its copy of the package first.
    monkeypatch.syspath_prepend(Path(framesweep.__file__).parents[1])
    recorded = []
    for processes in ("1", "2"):
        folder = tmp_path / processes
        record.main([corpus, str(folder), "--utterances", "20", "--processes", processes])
        recorded.append(load_table(folder / record.TABLE).accuracy.tolist())
    assert recorded[0] == recorded[1]


def test_points_that_are_no_grid_are_no_table(tmp_path, monkeypatch) -> None:
    curve = {"accuracies": [0.5] * NUM_EPOCHS, "seconds": [1.0] * NUM_EPOCHS}
    points = [list_points()[index] for index in (0, 1, 2)]
    lines = [{"point": " ".join(name_point(point)), **curve} for point in points]
    (tmp_path / record.LINES).write_text("".join(json.dumps(line) + "\n" for line in lines))
    with pytest.raises(ValueError, match="3 trainings are no grid"):
        record.write_table(tmp_path)
