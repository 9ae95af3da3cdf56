"""Artifact locations follow a database that was moved or copied together with them."""

import logging
import shutil
import sqlite3
from pathlib import Path

import pytest

from framesweep.errors import TrackingError
from framesweep.tracking.moved_artifacts import (
    find_moved_file,
    follow_artifacts,
    require_artifact_folder,
)

RUN, OTHER = "0123abcd", "4567ef01"


def make_outputs(folder, *, root=None):
    """Create an outputs folder with two runs, whose artifacts are in `root`."""
    root = root or folder / "artifacts"
    (root / RUN / "artifacts").mkdir(parents=True)
    (folder / "runs").mkdir(parents=True)
    with sqlite3.connect(folder / "mlflow.db") as connection:
        connection.execute("CREATE TABLE experiments (artifact_location)")
        connection.execute("CREATE TABLE runs (artifact_uri)")
        connection.execute("CREATE TABLE logged_models (artifact_location)")
        locations = [(root.as_uri(),), (f"{root.as_uri()}/0",), ("s3://bucket/artifacts",)]
        connection.executemany("INSERT INTO experiments VALUES (?)", locations)
        runs = [(f"{root.as_uri()}/{run}/artifacts",) for run in (RUN, OTHER)]
        connection.executemany("INSERT INTO runs VALUES (?)", runs)
        model = f"{root.as_uri()}/models/m-1/artifacts"
        connection.execute("INSERT INTO logged_models VALUES (?)", (model,))
        connection.execute("CREATE TABLE model_versions (source, storage_location)")
        connection.execute("INSERT INTO model_versions VALUES (?, ?)", (model, model))
    return folder


def locations(folder):
    with sqlite3.connect(folder / "mlflow.db") as connection:
        return [
            text
            for table in ("experiments", "runs", "logged_models", "model_versions")
            for row in connection.execute(f"SELECT * FROM {table}")
            for text in row
        ]


def expected(folder):
    root = (folder / "artifacts").as_uri()
    runs = [f"{root}/{run}/artifacts" for run in (RUN, OTHER)]
    return [
        *(root, f"{root}/0", "s3://bucket/artifacts"),
        *runs,
        *[f"{root}/models/m-1/artifacts"] * 3,
    ]


@pytest.mark.parametrize("name", ["new", "50% of é"])
@pytest.mark.parametrize("change", [shutil.move, shutil.copytree])
def test_locations_follow_outputs_that_were_moved_or_copied(tmp_path, change, name):
    make_outputs(tmp_path / "ol d%")
    change(tmp_path / "ol d%", tmp_path / name)
    follow_artifacts(tmp_path / name / "mlflow.db")
    assert locations(tmp_path / name) == expected(tmp_path / name)
    follow_artifacts(tmp_path / name / "mlflow.db")
    assert locations(tmp_path / name) == expected(tmp_path / name)


def test_outputs_that_were_not_moved_keep_their_locations(tmp_path):
    make_outputs(tmp_path / "here")
    follow_artifacts(tmp_path / "here" / "mlflow.db")
    assert locations(tmp_path / "here") == expected(tmp_path / "here")


def test_a_database_whose_artifacts_are_elsewhere_on_purpose_is_left_alone(tmp_path):
    make_outputs(tmp_path / "here", root=tmp_path / "large-disk" / "artifacts")
    (tmp_path / "here" / "artifacts").mkdir()
    before = locations(tmp_path / "here")
    follow_artifacts(tmp_path / "here" / "mlflow.db")
    assert locations(tmp_path / "here") == before


def test_a_line_says_so_if_artifacts_are_gone_and_nothing_shows_where_they_went(
    tmp_path, caplog
):
    make_outputs(tmp_path / "here", root=tmp_path / "disk" / "artifacts")
    shutil.rmtree(tmp_path / "disk" / "artifacts")
    before = locations(tmp_path / "here")
    with caplog.at_level(logging.WARNING):
        follow_artifacts(tmp_path / "here" / "mlflow.db")
    assert locations(tmp_path / "here") == before
    (line,) = caplog.messages
    assert str(tmp_path / "disk" / "artifacts") in line
    assert "does not exist" in line


def test_a_database_without_tables_is_accepted(tmp_path):
    follow_artifacts(tmp_path / "mlflow.db")


@pytest.mark.parametrize("there", ["artifacts", ""])
def test_an_experiment_may_keep_artifacts_in_folders_that_exist(tmp_path, there):
    (tmp_path / "outputs" / there).mkdir(parents=True)
    require_artifact_folder((tmp_path / "outputs" / "artifacts").as_uri(), "mine")
    require_artifact_folder("mlflow-artifacts:/1", "mine")
    require_artifact_folder("s3://bucket/1", "mine")


def test_an_experiment_whose_outputs_are_on_another_machine_is_refused(tmp_path):
    """Nothing is created there, even if it could be."""
    elsewhere = tmp_path / "cluster" / "outputs"
    with pytest.raises(TrackingError, match=r"outputs does not; found 'mine'. Make that"):
        require_artifact_folder((elsewhere / "artifacts").as_uri(), "mine")
    assert not elsewhere.parent.exists()


def test_a_file_of_a_run_is_found_where_the_run_was_moved(tmp_path):
    (tmp_path / "run" / "report").mkdir(parents=True)
    there = tmp_path / "run" / "report" / "report.html"
    there.touch()
    for recorded in ("/elsewhere/run/report/report.html", str(there)):
        assert find_moved_file(recorded, tmp_path / "run") == there
    gone = Path("/elsewhere/run/model")
    assert find_moved_file(str(gone), tmp_path / "run") == gone
