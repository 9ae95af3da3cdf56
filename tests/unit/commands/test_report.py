"""framesweep report."""

from pathlib import Path

import optuna
import pytest
from click.testing import CliRunner

from configs import compose
from framesweep import tracking
from framesweep.commands.report import command
from framesweep.config.composition import dump, register
from framesweep.errors import TrackingError
from framesweep.system.drawing import html_page
from framesweep.tracking import RunInfo

register()


@pytest.fixture(autouse=True)
def short_plotly(monkeypatch):
    monkeypatch.setattr(html_page, "read_plotly", lambda: "var Plotly = {};")


@pytest.fixture
def report(tmp_path, monkeypatch):
    """Invoke the command in an outputs folder, and return its result and the page."""
    monkeypatch.chdir(tmp_path)

    def invoke(*arguments):
        result = CliRunner().invoke(command, [*arguments, "--outputs", str(tmp_path)])
        page = tmp_path / "report.html"
        return result, page.read_text() if page.exists() else None

    return invoke


def run(directory: Path, tags: dict[str, str], **values: str) -> RunInfo:
    directory.mkdir(exist_ok=True)
    (directory / "config.yaml").write_text(dump(compose([])))
    metrics = {"best/accuracy": 0.5}
    return RunInfo("id", "a name", "FINISHED", directory, values, metrics, tags)


def test_a_study_is_found_by_its_name(report, tmp_path):
    optuna.create_study(study_name="s", storage=f"sqlite:///{tmp_path}/studies.db")
    result, page = report("s")
    assert result.output == "report: report.html\n"
    assert "<h1>Study s</h1>" in page


def test_a_run_is_found_by_its_id(report, tmp_path, monkeypatch):
    found = run(tmp_path / "r", {})
    monkeypatch.setattr(tracking, "load_run", lambda *_: found)
    assert "<h1>Run a name</h1>" in report("abc")[1]


def test_a_run_has_the_options_that_were_chosen(report, tmp_path, monkeypatch):
    found = run(tmp_path / "r", {}, model="wide")
    monkeypatch.setattr(tracking, "load_run", lambda *_: found)
    assert "<th>model</th><td>wide</td>" in report("abc")[1]


def test_the_parent_of_a_search_stands_for_its_study(report, tmp_path, monkeypatch):
    optuna.create_study(study_name="s", storage=f"sqlite:///{tmp_path}/studies.db")
    found = run(tmp_path / "r", {"sweep": "search", "study": "s"})
    monkeypatch.setattr(tracking, "load_run", lambda *_: found)
    assert "<h1>Study s</h1>" in report("abc")[1]


def test_a_search_with_its_own_storage_is_found_through_its_folder(
    report, tmp_path, monkeypatch
):
    optuna.create_study(study_name="s", storage=f"sqlite:///{tmp_path}/mine.db")
    found = run(tmp_path / "r", {"sweep": "search", "study": "s"})
    monkeypatch.setattr(tracking, "load_run", lambda *_: found)
    result, page = report("abc")
    assert page is None
    assert "type framesweep report s --storage STORAGE." in str(result.exception)
    config = f"hydra: {{sweeper: {{storage: 'sqlite:///{tmp_path}/mine.db'}}}}\n"
    (found.directory / "multirun.yaml").write_text(config)
    assert "<h1>Study s</h1>" in report("abc")[1]


def test_the_parent_of_a_grid_stands_for_its_runs(report, tmp_path, monkeypatch):
    parent = run(tmp_path / "p", {"sweep": "grid"})
    child = run(tmp_path / "c", {}, **{"_swept/a": "2"})
    monkeypatch.setattr(tracking, "load_run", lambda *_: parent)
    monkeypatch.setattr(tracking, "load_children", lambda *_: [child])
    page = report("abc")[1]
    assert "<th>a</th><td>2</td>" in page
    assert "framesweep reproduce id" in page


def test_what_is_neither_a_study_nor_a_run_is_one_line_and_writes_nothing(report):
    result, page = report("nothing")
    assert isinstance(result.exception, TrackingError)
    assert "must be a study or a run" in str(result.exception)
    assert page is None


def test_a_damaged_database_of_studies_is_named(report, tmp_path):
    (tmp_path / "studies.db").write_text("no database " * 100)
    error = str(report("nothing")[0].exception)
    assert "must be a study or a run; found 'nothing'. As a study, " in error
    assert "studies.db must be a storage of Optuna studies (" in error
    assert "). As a run, it must be the id or the name of a run. `framesweep runs" in error
    assert error.count("found ") == 1
    assert ".." not in error
