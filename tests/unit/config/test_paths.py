"""Home directories, SQLite URLs of any path, and outputs folders that were moved."""

import sqlite3
from pathlib import Path, PureWindowsPath

import pytest
import sqlalchemy

from configs import compose
from framesweep.config import paths
from framesweep.config.composition import register
from framesweep.config.paths import (
    expand,
    expand_override,
    file_path,
    find_moved,
    find_outputs,
    follow_move,
    sqlite_path,
    sqlite_url,
)

register()

NAMES = [
    "plain",
    "with space",
    "50%",
    "a%20b",
    "what?",
    "a#b",
    "é ü",
    "日本",
    "{x}",
    "a&b=c",
    "a+b",
]


@pytest.mark.parametrize("name", NAMES)
def test_the_url_of_a_sqlite_file_leads_to_that_file(tmp_path, name):
    path = tmp_path / name / "mlflow.db"
    path.parent.mkdir()
    engine = sqlalchemy.create_engine(sqlite_url(path))
    with engine.begin() as connection:
        connection.execute(sqlalchemy.text("CREATE TABLE a (b)"))
    engine.dispose()
    assert [p.name for p in tmp_path.iterdir()] == [name]
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT name FROM sqlite_master").fetchall() == [("a",)]
    assert sqlite_path(sqlite_url(path)) == path


def test_the_url_of_a_path_without_special_characters_is_as_people_write_it():
    assert sqlite_url(Path("/data/my runs/mlflow.db")) == "sqlite:////data/my runs/mlflow.db"


def test_a_relative_path_or_one_in_the_home_directory_becomes_absolute(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", "/home/someone")
    monkeypatch.chdir(tmp_path)
    assert sqlite_path("sqlite:///~/runs.db") == Path("/home/someone/runs.db")
    assert sqlite_path("sqlite:///runs.db") == tmp_path / "runs.db"
    assert sqlite_path("postgresql://host/db") is None


def test_the_home_directory_is_put_in_place_of_a_tilde(monkeypatch):
    monkeypatch.setenv("HOME", "/home/someone")
    assert expand("~/outputs") == "/home/someone/outputs"
    assert expand_override("outputs=~/o") == "outputs=/home/someone/o"
    for unchanged in ("~model.widths", "outputs=o~", "-m", "resume=~"):
        assert expand_override(unchanged) == unchanged
    assert compose(["outputs='~/o'"]).outputs == "/home/someone/o"


@pytest.mark.parametrize(
    "directory",
    ["runs/2026-01-31/12-00-00-abc", "sweeps/study", "sweeps/study/3", "sweeps/s/seeds/3-1000"],
)
def test_a_moved_run_is_found_in_the_outputs_that_contain_it(tmp_path, directory):
    here = tmp_path / "here" / directory
    here.mkdir(parents=True)
    recorded = Path("/cluster/project/outputs", directory)
    assert find_outputs(recorded) == Path("/cluster/project/outputs")
    assert find_moved(recorded, tmp_path / "here") == here
    assert find_moved(recorded, tmp_path / "elsewhere") == recorded


def test_a_directory_outside_of_outputs_has_none():
    assert find_outputs(Path("/scratch/my-run")) is None
    assert find_outputs(Path("/")) is None


def test_a_saved_config_follows_its_outputs(tmp_path):
    outputs = tmp_path / "laptop"
    directory = outputs / "runs" / "2026-01-31" / "12-00-00-abc"
    directory.mkdir(parents=True)
    config = compose(
        ["outputs=/cluster/out", "data.cache=/cluster/out/cache", "data.root=/cluster/corpus"]
    )
    config.tracking.uri = "sqlite:////cluster/out/mlflow.db"
    follow_move(config, directory)
    assert config.outputs == str(outputs)
    assert config.data.cache == str(outputs / "cache")
    assert config.tracking.uri == f"sqlite:///{outputs}/mlflow.db"
    assert config.data.root == "/cluster/corpus"


def test_a_config_whose_outputs_exist_is_not_changed_by_a_run_directory_elsewhere(tmp_path):
    (tmp_path / "out").mkdir()
    config = compose([f"outputs={tmp_path}/out"])
    follow_move(config, tmp_path / "scratch" / "runs" / "day" / "time")
    assert config.outputs == str(tmp_path / "out")


def test_a_copy_of_outputs_is_used_although_the_original_still_exists(tmp_path):
    for name in ("original", "copy"):
        (tmp_path / name / "cache").mkdir(parents=True)
    config = compose([f"outputs={tmp_path}/original"])
    follow_move(config, tmp_path / "copy" / "runs" / "day" / "time")
    assert config.outputs == str(tmp_path / "copy")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (r"data.root=C:\Users\me\corpus", "data.root=C:/Users/me/corpus"),
        (r"data.root=\\server\share\corpus", "data.root=//server/share/corpus"),
        (r"data.root='C:\Program Files\x'", "data.root='C:/Program Files/x'"),
        ("data.root='C:\\dir\\'", "data.root='C:/dir/'"),
        (r"data.root=C:\a,D:\b", "data.root=C:/a,D:/b"),
        # Not a path, or with an escape of Hydra's.
        (r"tracking.experiment=a\,b", r"tracking.experiment=a\,b"),
        (r"data.root=C:\a\,b", r"data.root=C:\a\,b"),
        (r"data.exclude=\d+-x", r"data.exclude=\d+-x"),
        (r"data.exclude='\\d'", r"data.exclude='\\d'"),
        ("model=wide", "model=wide"),
        ("--multirun", "--multirun"),
    ],
)
def test_paths_of_windows_reach_hydra_with_slashes(given, expected):
    assert expand_override(given, windows=True) == expected
    assert expand_override(given, windows=False) == given


@pytest.mark.parametrize(
    "path", [r"C:\Users\me\corpus", r"\\server\share\corpus", "C:\\dir\\", r"D:\a b\c"]
)
def test_hydra_reads_the_path_of_windows_that_was_typed(path):
    from hydra.core.override_parser.overrides_parser import OverridesParser

    override = expand_override(f"data.root='{path}'", windows=True)
    value = OverridesParser.create().parse_override(override).value()
    assert PureWindowsPath(str(getattr(value, "text", value))) == PureWindowsPath(path)


def test_a_tilde_with_a_backslash_is_the_home_directory_of_windows(monkeypatch):
    monkeypatch.setattr(paths, "expand", lambda path: path.replace("~", r"C:\Users\me"))
    assert expand_override(r"outputs=~\runs", windows=True) == "outputs=C:/Users/me/runs"
    assert expand_override(r"outputs=~\runs", windows=False) == r"outputs=~\runs"


@pytest.mark.parametrize("name", [r"C:\my runs\mlflow.db", r"D:\100% (new)\study.db"])
def test_the_url_of_a_sqlite_file_on_a_drive_has_slashes(name):
    url = sqlite_url(PureWindowsPath(name))
    database = sqlalchemy.make_url(url).database
    assert PureWindowsPath(database or "") == PureWindowsPath(name)
    assert "\\" not in url
    if "%" not in name:
        assert url == "sqlite:///C:/my runs/mlflow.db"


@pytest.mark.parametrize("name", [r"C:\my runs\a", r"\\server\share\a b", r"D:\50% größer"])
def test_a_file_uri_of_windows_names_its_path(name):
    uri = PureWindowsPath(name).as_uri()
    assert PureWindowsPath(str(file_path(uri, windows=True)).replace("\\", "/")) == (
        PureWindowsPath(name)
    )


def test_a_file_uri_names_its_path(tmp_path):
    path = tmp_path / "a b; 50% c#d"
    assert file_path(path.as_uri(), windows=False) == path
