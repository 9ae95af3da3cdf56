"""A record that is sent twice has the effect of one that is sent once."""

from typing import Any

import pytest

from framesweep.catalog.run_file import write_status
from framesweep.errors import LostRunError, OwnershipLostError, TrackingError
from framesweep.tracking import mlflow_store, mlflow_writer
from framesweep.tracking.mlflow_writer import (
    MlflowWriter,
    read_run_file,
)

START = {"kind": "start", "key": "abc", "name": "first", "time": 1}
START["tags"] = {"framesweep.key": "abc"}


@pytest.fixture
def uri(tracked_outputs):
    return mlflow_store.resolve_tracking_uri(None, tracked_outputs)


@pytest.fixture
def client(uri, tracked_outputs):
    return mlflow_store.connect(uri, tracked_outputs)


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "tracking"
    folder.mkdir()
    return folder


@pytest.fixture
def make_writer(uri, tracked_outputs, folder):
    """Returns a writer as each process that works on the same run has its own."""
    return lambda: MlflowWriter(uri, "speech", tracked_outputs, folder)


def runs_of(client):
    return client.search_runs([client.get_experiment_by_name("speech").experiment_id])


def test_a_start_creates_a_run_and_writes_its_id(make_writer, client, folder, uri):
    writer = make_writer()
    assert (writer.run_id, writer.key) == (None, None)
    writer.write(START)
    (run,) = runs_of(client)
    assert run.info.run_name == "first"
    assert read_run_file(folder) == {"key": "abc", "run_id": run.info.run_id, "uri": uri}
    assert make_writer().run_id == run.info.run_id


def test_a_start_sent_again_by_a_later_process_creates_no_second_run(make_writer, client):
    make_writer().write(START)
    make_writer().write({**START, "again": True})
    assert len(runs_of(client)) == 1


def test_a_run_created_by_a_process_that_died_then_is_found_by_its_key(
    make_writer, client, folder
):
    make_writer().write(START)
    (folder / "run.json").unlink()
    writer = make_writer()
    writer.write({**START, "again": True})
    (run,) = runs_of(client)
    assert writer.run_id == run.info.run_id


def test_a_start_whose_run_file_found_no_space_is_sent_again_until_the_file_is_written(
    make_writer, client, folder, monkeypatch
):
    def refuse(*_):
        raise OSError(28, "No space left on device")

    writer = make_writer()
    with monkeypatch.context() as full:
        full.setattr(mlflow_writer, "write_run_file", refuse)
        for record in (START, {**START, "again": True}):
            with pytest.raises(OSError, match="No space left"):
                writer.write(record)
    assert read_run_file(folder) == {}
    writer.write({**START, "again": True})
    (run,) = runs_of(client)
    assert read_run_file(folder)["run_id"] == run.info.run_id


def test_a_start_with_another_key_creates_another_run(make_writer, client):
    writer = make_writer()
    writer.write(START)
    writer.write({**START, "key": "def", "tags": {"framesweep.key": "def"}})
    assert len(runs_of(client)) == 2


def test_metrics_sent_again_are_stored_once(make_writer, client):
    record = {"kind": "metrics", "step": 1, "metrics": {"dev/loss": 0.5}, "time": 7}
    writer = make_writer()
    writer.write(START)
    writer.write(record)
    writer.write(record)
    make_writer().write(record)
    history = client.get_metric_history(writer.run_id, "dev/loss")
    assert [(m.step, m.value, m.timestamp) for m in history] == [(1, 0.5, 7)]


def test_a_resumed_run_skips_the_params_and_epochs_that_it_has(make_writer, client):
    writer = make_writer()
    writer.write(START)
    writer.write({"kind": "params", "params": {"seed": "1"}})
    writer.write({"kind": "metrics", "step": 1, "metrics": {"dev/loss": 0.5}, "time": 7})
    writer.write({"kind": "status", "status": "KILLED", "time": 8})
    resumed = make_writer()
    resumed.write({"kind": "resume", "run_id": None})
    assert client.get_run(writer.run_id).info.status == "RUNNING"
    resumed.write({"kind": "params", "params": {"seed": "2", "new": "x"}})
    for step in (1, 2):
        metrics = {"dev/loss": 0.1}
        resumed.write({"kind": "metrics", "step": step, "metrics": metrics, "time": 9})
    assert client.get_run(writer.run_id).data.params == {"seed": "1", "new": "x"}
    history = client.get_metric_history(writer.run_id, "dev/loss")
    assert [(m.step, m.value) for m in history] == [(1, 0.5), (2, 0.1)]


def test_epochs_that_a_run_had_when_it_was_resumed_are_skipped_by_a_later_process_too(
    make_writer, client
):
    """The resumed process logs its first epochs once more, and dies before its end is sent.

    Its `resume` had been sent and removed by then, so that it no longer precedes these records.
    """
    first = make_writer()
    first.write(START)
    first.write({"kind": "params", "params": {"seed": "1"}})
    first.write({"kind": "metrics", "step": 1, "metrics": {"dev/loss": 0.5}, "time": 7})
    resumed, later = make_writer(), make_writer()
    resumed.write({"kind": "resume", "run_id": None})
    waiting: list[dict[str, Any]] = [
        {"kind": "params", "params": {"seed": "2", "new": "x"}},
        {"kind": "metrics", "step": 1, "metrics": {"dev/loss": 0.5}, "time": 9},
        {"kind": "metrics", "step": 2, "metrics": {"dev/loss": 0.1}, "time": 9},
    ]
    for record in waiting:
        resumed.write(record)
    for record in waiting:
        later.write({**record, "again": True})
    assert client.get_run(first.run_id).data.params == {"seed": "1", "new": "x"}
    history = client.get_metric_history(first.run_id, "dev/loss")
    assert [(m.step, m.timestamp) for m in history] == [(1, 7), (2, 9)]


@pytest.mark.parametrize("status", ["FINISHED", "RUNNING"])
def test_the_status_of_the_present_owner_is_restored(make_writer, client, folder, status):
    writer = make_writer()
    writer.write(START)
    write_status(folder, status, 9)
    writer.write({"kind": "status", "status": "FAILED", "time": 8})
    writer.restore()
    info = client.get_run(writer.run_id).info
    assert info.status == status
    assert (info.end_time == 9) == (status == "FINISHED")


def test_a_status_that_the_owner_gives_meanwhile_is_not_replaced(
    make_writer, client, folder, monkeypatch
):
    writer = make_writer()
    writer.write(START)
    write_status(folder, "RUNNING", 9)
    update_run = writer._client.update_run

    def update_late(run_id, status):
        write_status(folder, "FINISHED", 10)
        client.set_terminated(run_id, "FINISHED", 10)
        update_run(run_id, status)

    monkeypatch.setattr(writer._client, "update_run", update_late)
    writer.restore()
    assert client.get_run(writer.run_id).info.status == "FINISHED"


def test_no_status_is_restored_where_no_process_has_resumed_the_run(
    make_writer, client, folder
):
    writer = make_writer()
    writer.restore()
    writer.write(START)
    writer.write({"kind": "status", "status": "KILLED", "time": 8})
    writer.restore()
    assert client.get_run(writer.run_id).info.status == "KILLED"


def test_a_run_that_was_created_twice_is_deleted_by_the_process_that_was_taken_over(
    make_writer, client, monkeypatch
):
    """It was suspended just before it created the run, which its successor could not find."""
    suspended, successor = make_writer(), make_writer()
    suspended._created_id = "abc"
    with pytest.raises(TimeoutError):  # the successor may still find it
        suspended.restore()

    def create_late(*arguments):
        successor.write({**START, "again": True})
        return client.create_run(*arguments)

    def refuse(*arguments):
        raise OwnershipLostError("taken over")

    monkeypatch.setattr(suspended._client, "create_run", create_late)
    with monkeypatch.context() as patch:
        patch.setattr(suspended, "_write_run_file", refuse)
        with pytest.raises(OwnershipLostError):
            suspended.write(START)
    assert len(runs_of(client)) == 2
    suspended.restore()
    (run,) = runs_of(client)
    assert run.info.run_id == successor.run_id
    successor.restore()
    assert len(runs_of(client)) == 1


def test_a_record_without_any_run_is_lost(make_writer):
    with pytest.raises(LostRunError, match=r"run.json: must name the run"):
        make_writer().write({"kind": "tags", "tags": {"a": "b"}})


def test_a_record_of_a_deleted_run_is_lost(make_writer, client):
    writer = make_writer()
    writer.write(START)
    client.delete_run(writer.run_id)
    with pytest.raises(LostRunError, match=f"the run {writer.run_id}, which has been deleted"):
        writer.write({"kind": "tags", "tags": {"a": "b"}})


def test_a_record_that_mlflow_refuses_is_not_a_lost_run(make_writer):
    from mlflow.exceptions import MlflowException

    writer = make_writer()
    writer.write(START)
    with pytest.raises(MlflowException, match="Invalid"):
        writer.write({"kind": "tags", "tags": {"a+b": "x"}})


def test_a_damaged_run_file_stops_the_run_instead_of_starting_a_second_one(
    tracked_outputs, folder
):
    (folder / "run.json").write_text("{}")
    with pytest.raises(TrackingError, match=r"run\.json"):
        MlflowWriter("http://host", "speech", tracked_outputs, folder)


def test_the_run_file_contains_no_password(tracked_outputs, folder):
    writer = MlflowWriter("http://ann:s3cret@host", "speech", tracked_outputs, folder)
    writer.run_id = "abc"
    writer._write_run_file("key")
    assert "s3cret" not in (folder / "run.json").read_text()
    assert read_run_file(folder) == {"key": "key", "run_id": "abc", "uri": "http://***@host"}
