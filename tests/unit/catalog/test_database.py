"""MLflow's database is read as MLflow itself reads it."""

import errno
import math
import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from framesweep.catalog.database import connect_read_only, find_database, read_tracked_rows
from framesweep.credentials import URI_VARIABLE
from framesweep.tracking import mlflow_store


@pytest.fixture(autouse=True)
def no_variable(monkeypatch):
    monkeypatch.delenv(URI_VARIABLE, raising=False)


def test_rows_are_what_mlflow_returns(tracked_outputs, track):
    run_id, directory = track("runs/d/t", "a name", dev_loss=float("nan"), dev_accuracy=0.5)
    client = mlflow_store.connect(f"sqlite:///{tracked_outputs}/mlflow.db", tracked_outputs)
    (row,) = read_tracked_rows(tracked_outputs / "mlflow.db")
    run = client.get_run(run_id)
    assert (row.name, row.status, row.start) == ("a name", "FINISHED", run.info.start_time)
    assert row.tags.items() <= run.data.tags.items()
    assert row.tags["framesweep.run_dir"] == str(directory)
    assert (row.metrics["dev/accuracy"], row.epochs) == (0.5, 3)
    assert math.isnan(row.metrics["dev/loss"])


def test_deleted_runs_and_those_of_other_programs_are_left_out(tracked_outputs, track):
    run_id, _ = track("runs/d/t")
    client = mlflow_store.connect(f"sqlite:///{tracked_outputs}/mlflow.db", tracked_outputs)
    client.create_run("0")
    client.delete_run(track("runs/d/gone")[0])
    rows = read_tracked_rows(tracked_outputs / "mlflow.db")
    assert [row.run_id for row in rows] == [run_id]


def test_a_file_that_is_no_database_has_no_runs(tmp_path):
    path = tmp_path / "mlflow.db"
    path.write_bytes(os.urandom(5000))
    assert read_tracked_rows(path) == []


def test_a_file_that_may_not_be_read_has_no_runs(tmp_path, monkeypatch):
    path = tmp_path / "mlflow.db"
    path.touch()
    monkeypatch.setattr(os, "access", lambda *args: False)

    def refuse(self, *args, **keys):
        raise PermissionError(errno.EACCES, "Permission denied", str(self))

    monkeypatch.setattr(Path, "open", refuse)
    assert read_tracked_rows(path) == []


def test_the_database_is_found_as_for_tracking(tmp_path, monkeypatch):
    assert find_database(None, tmp_path) is None
    (tmp_path / "mlflow.db").touch()
    (tmp_path / "other.db").touch()
    assert find_database(None, tmp_path) == tmp_path / "mlflow.db"
    assert find_database(f"sqlite:///{tmp_path}/other.db", tmp_path) == tmp_path / "other.db"
    assert find_database("http://host", tmp_path) is None
    monkeypatch.setenv(URI_VARIABLE, f"sqlite:///{tmp_path}/other.db")
    assert find_database(None, tmp_path) == tmp_path / "other.db"
    monkeypatch.setenv(URI_VARIABLE, "")
    assert find_database(None, tmp_path) == tmp_path / "mlflow.db"


@pytest.mark.parametrize("has_log", [False, True])
def test_a_folder_that_may_not_be_written_to_is_read(tmp_path, monkeypatch, has_log):
    path = tmp_path / "a b%.db"
    with closing(sqlite3.connect(path)) as writer:
        writer.execute("pragma journal_mode=wal")
        writer.execute("create table t (x int)")
        writer.execute("insert into t values (7)")
        writer.commit()
        if not has_log:
            writer.close()
        opened = []
        connect = sqlite3.connect
        monkeypatch.setattr(os, "access", lambda *args: False)

        def connect_and_note(name, **keys):
            opened.append(name)
            return connect(name, **keys)

        monkeypatch.setattr(sqlite3, "connect", connect_and_note)
        with closing(connect_read_only(path, 1)) as reader:
            assert reader.execute("select x from t").fetchall() == [(7,)]
            with pytest.raises(sqlite3.OperationalError, match="readonly"):
                reader.execute("insert into t values (8)")
    # What is still in the log is not in the file.
    assert ("immutable=1" in opened[0]) is not has_log


def test_a_database_without_a_log_is_read_under_its_locks(tmp_path, monkeypatch):
    path = tmp_path / "a.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as writer:
        writer.execute("create table t (x int)")
        writer.execute("begin exclusive")
        monkeypatch.setattr(os, "access", lambda *args: False)
        with (
            closing(connect_read_only(path, 0)) as reader,
            pytest.raises(sqlite3.OperationalError, match="locked"),
        ):
            reader.execute("select x from t")
