"""framesweep reproduce."""

from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from framesweep import tracking
from framesweep.commands.reproduce import command
from framesweep.errors import TrackingError
from framesweep.runs import reruns
from framesweep.runs.reporting.history import History, write_history

TAGS = {"framesweep.host": "one", "framesweep.version": "1", "best_epoch": "3"}


@pytest.fixture
def reproduce(monkeypatch):
    """Invoke the command on a run whose repetition has the given value and tags."""

    def invoke(value, tags=TAGS, metrics=None, first_tags=TAGS, directory=Path("first")):
        first = SimpleNamespace(
            name="one",
            run_id="id",
            directory=directory,
            metrics={"best/accuracy": 0.5} if metrics is None else metrics,
            tags=first_tags,
        )
        second = SimpleNamespace(directory=Path("second"), metrics={}, tags=tags)
        found = {"id": first, "second": second}
        monkeypatch.setattr(tracking, "load_run", lambda run_id, uri, outputs: found[run_id])
        monkeypatch.setattr(
            reruns, "read_config", lambda *_: SimpleNamespace(objective="dev/accuracy")
        )
        monkeypatch.setattr(reruns, "run_again", lambda *_: (Path("second"), value))
        return CliRunner().invoke(command, ["id"])

    return invoke


def test_an_equal_value_is_reproducible(reproduce):
    result = reproduce(0.5)
    assert result.exit_code == 0
    assert result.output.splitlines() == [
        "dev/accuracy: 0.5 in the first run, 0.5 in the second",
        "reproducible: equal to the last bit",
    ]


def test_another_value_is_an_exit_code_with_its_difference(reproduce):
    result = reproduce(0.25)
    assert result.exit_code == 1
    assert result.output.splitlines()[1] == "not reproducible: differs by -0.25"


def test_what_else_has_changed_is_named(reproduce):
    result = reproduce(0.25, {**TAGS, "framesweep.host": "another"})
    assert result.output.endswith("; these have changed, too: host one -> another\n")


def test_a_run_without_a_result_cannot_be_compared(reproduce):
    error = reproduce(0.5, metrics={"best/loss": 1.0}).exception
    assert isinstance(error, TrackingError)
    assert str(error).startswith("run id: must have the metric best/accuracy")


def test_a_run_that_was_stopped_cannot_be_compared(reproduce):
    tags = {key: value for key, value in TAGS.items() if key != "best_epoch"}
    error = reproduce(0.5, first_tags=tags).exception
    assert isinstance(error, TrackingError)
    assert "and have ended" in str(error)


def test_a_run_without_tracking_has_its_result_in_its_report(reproduce, tmp_path):
    history = [{"dev/accuracy": 0.25}, {"dev/accuracy": 0.5}, {"dev/accuracy": 0.4}]
    assert isinstance(reproduce(0.5, metrics={}, directory=tmp_path).exception, TrackingError)
    (tmp_path / "report").mkdir()
    write_history(tmp_path, History(history, 2))
    result = reproduce(0.5, metrics={}, directory=tmp_path)
    assert "reproducible: equal to the last bit" in result.output
