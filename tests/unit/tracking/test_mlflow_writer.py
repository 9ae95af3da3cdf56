"""A record that is sent twice has the effect of one that is sent once."""

import pytest

from framesweep.errors import TrackingError
from framesweep.tracking import mlflow_store
from framesweep.tracking.mlflow_writer import (
    MlflowWriter,
    _split,
    _truncate,
    read_run_file,
)
from framesweep.tracking.sender import LostRunError

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


def test_a_long_value_is_truncated_to_the_limit_and_says_so():
    text = _truncate("x" * 50, 30)
    assert text == "x" * 11 + "... (50 characters)"
    assert len(text) == 30
    assert _truncate("x" * 30, 30) == "x" * 30


def test_items_are_split_into_full_lists_and_a_rest():
    assert list(_split(range(7), 3)) == [[0, 1, 2], [3, 4, 5], [6]]
    assert list(_split([], 3)) == []
