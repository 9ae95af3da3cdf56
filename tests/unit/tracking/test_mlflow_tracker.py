"""What MLflow has of a run in the end."""

import json
import logging
import math
import shutil
import threading
from typing import Any

import pytest

from framesweep.config import TrackingConfig
from framesweep.errors import DirectoryInUseError, Interrupted, TrackingError
from framesweep.system.locks import ownership
from framesweep.system.locks.owner import Owner
from framesweep.tracking import (
    LostRunError,
    MlflowTracker,
    load_metric_history,
    load_run,
    mlflow_store,
    open_tracker,
    sync,
)
from framesweep.tracking.mlflow_writer import MlflowWriter
from owners import write_owner


@pytest.fixture
def outputs(tracked_outputs):
    return tracked_outputs


@pytest.fixture
def directory(outputs):
    folder = outputs / "runs" / "today" / "now"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def client(outputs):
    return mlflow_store.connect(mlflow_store.resolve_tracking_uri(None, outputs), outputs)


def _open(outputs, directory, **options):
    return open_tracker(TrackingConfig(), outputs, directory, **options)


def test_everything_that_is_logged_reaches_mlflow(outputs, directory, client):
    config = TrackingConfig(run_name="first", tags={"note": "x"})
    with open_tracker(config, outputs, directory, tags={"study": "s"}) as tracker:
        tracker.log_params({"data.context": 5, "model.widths": [8, 8], "optim.clip": None})
        for epoch in (1, 2, 3):
            tracker.log_epoch(epoch, {"dev/accuracy": epoch / 10, "dev/loss": 1 / epoch})
    run = load_run(tracker.run_id, None, outputs)
    assert (run.name, run.status, run.directory) == ("first", "FINISHED", directory)
    assert run.params == {
        "data.context": "5",
        "model.widths": "[8, 8]",
        "optim.clip": "null",
    }
    assert run.metrics == {"dev/accuracy": 0.3, "dev/loss": 1 / 3}
    assert run.tags["note"] == "x"
    assert run.tags["study"] == "s"
    assert load_metric_history(run.run_id, "dev/accuracy", None, outputs) == {
        1: 0.1,
        2: 0.2,
        3: 0.3,
    }
    assert (directory / "tracking" / "outbox.jsonl").read_bytes() == b""


def test_the_error_that_ends_the_run_decides_its_status(outputs, tmp_path):
    for error, status in (
        (Interrupted(15), "KILLED"),
        (KeyboardInterrupt(), "KILLED"),
        (RuntimeError("x"), "FAILED"),
    ):
        tracker = _open(outputs, tmp_path / f"run-{status}-{type(error).__name__}")
        with pytest.raises(type(error)), tracker:
            raise error
        assert load_run(tracker.run_id, None, outputs).status == status


def test_the_status_of_an_explicit_finish_is_kept(outputs, directory):
    with _open(outputs, directory) as tracker:
        tracker.log_tags({"pruned": "true"})
        tracker.finish("FINISHED")
        with pytest.raises(RuntimeError), tracker:
            raise RuntimeError("after")
    run = load_run(tracker.run_id, None, outputs)
    assert (run.status, run.tags["pruned"]) == ("FINISHED", "true")


def test_the_run_of_a_directory_is_continued_without_repeated_metrics(
    outputs, directory, client
):
    first = _open(outputs, directory)
    first.log_params({"train.epochs": 2, "seed": 1})
    first.log_epoch(1, {"dev/loss": 1.0})
    first.log_epoch(2, {"dev/loss": 0.5})
    first.finish("KILLED")
    with _open(outputs, directory) as second:
        assert client.get_run(second.run_id).info.status == "RUNNING"
        second.log_params({"train.epochs": 4, "seed": 1, "new": True})
        for epoch, loss in ((1, 9.0), (2, 9.0), (3, 0.4)):
            second.log_epoch(epoch, {"dev/loss": loss, "dev/accuracy": 0.5})
    assert second.run_id == first.run_id
    history = client.get_metric_history(first.run_id, "dev/loss")
    assert [(m.step, m.value) for m in history] == [(1, 1.0), (2, 0.5), (3, 0.4)]
    assert len(client.get_metric_history(first.run_id, "dev/accuracy")) == 3
    run = load_run(first.run_id, None, outputs)
    assert run.params == {"train.epochs": "2", "seed": "1", "new": "true"}
    assert run.status == "FINISHED"


def test_a_run_can_be_continued_from_another_directory(outputs, directory, tmp_path):
    with _open(outputs, directory) as first:
        first.log_epoch(1, {"dev/loss": 1.0})
    with _open(outputs, tmp_path / "moved", run_id=first.run_id) as second:
        second.log_epoch(2, {"dev/loss": 0.5})
    assert load_metric_history(first.run_id, "dev/loss", None, outputs) == {1: 1.0, 2: 0.5}


def test_records_of_a_killed_process_are_sent_first_and_counted_once(
    outputs, directory, client
):
    """As if the process had been killed after epoch 1 was sent and before it was removed."""
    with _open(outputs, directory) as first:
        first.log_epoch(1, {"dev/loss": 1.0})
    time = client.get_metric_history(first.run_id, "dev/loss")[0].timestamp
    records = [
        {"kind": "metrics", "step": 1, "metrics": {"dev/loss": 1.0}, "time": time},
        {"kind": "metrics", "step": 2, "metrics": {"dev/loss": 0.5}, "time": time + 1},
    ]
    box = directory / "tracking" / "outbox.jsonl"
    box.write_text("".join(json.dumps(record) + "\n" for record in records))
    with _open(outputs, directory) as second:
        second.log_epoch(2, {"dev/loss": 7.0})
    history = client.get_metric_history(first.run_id, "dev/loss")
    assert [(m.step, m.value) for m in history] == [(1, 1.0), (2, 0.5)]


def test_a_run_created_just_before_a_kill_is_found_instead_of_created_again(
    outputs, directory, client
):
    """As if the process had been killed between MLflow's answer and writing run.json."""
    first = _open(outputs, directory)
    run_id = first.run_id
    key = client.get_run(run_id).data.tags["framesweep.key"]
    first.finish()
    (directory / "tracking" / "run.json").unlink()
    start = {"kind": "start", "key": key, "name": None, "tags": {}, "time": 1}
    (directory / "tracking" / "outbox.jsonl").write_text(json.dumps(start) + "\n")
    with _open(outputs, directory) as second:
        second.log_epoch(1, {"dev/loss": 1.0})
    assert second.run_id == run_id
    assert len(client.search_runs(["1"])) == 1


def test_the_directory_is_owned_until_the_run_ends(outputs, directory):
    tracker = _open(outputs, directory)
    assert Owner.read(directory) is not None
    tracker.finish()
    assert Owner.read(directory) is None
    write_owner(directory)
    with pytest.raises(DirectoryInUseError, match="is being trained by"):
        _open(outputs, directory)


@pytest.mark.parametrize("has_finished", [False, True])
def test_a_run_that_was_taken_over_logs_nothing_and_keeps_its_successors_status(
    outputs, directory, client, has_finished
):
    tracker = _open(outputs, directory)
    write_owner(directory)
    if has_finished:
        (directory / ".owner").unlink()
    client.set_terminated(tracker.run_id, "FINISHED")
    tracker.log_epoch(9, {"dev/loss": 1.0})
    with pytest.raises(RuntimeError), tracker:
        raise RuntimeError
    run = load_run(tracker.run_id, None, outputs)
    assert (run.status, run.metrics) == ("FINISHED", {})
    assert (directory / "tracking" / "outbox.jsonl").read_bytes() == b""


def test_an_abandoned_run_has_no_status_from_this_process(outputs, directory):
    with _open(outputs, directory) as tracker:
        tracker.abandon()
        tracker.log_epoch(9, {"dev/loss": 1.0})
    run = load_run(tracker.run_id, None, outputs)
    assert (run.status, run.metrics) == ("RUNNING", {})


def test_a_suspended_process_does_not_leave_a_run_running_that_its_successor_has_finished(
    outputs, directory, client, monkeypatch
):
    """It wakes up within its request, which it could not check any more."""
    first = _open(outputs, directory)
    first.finish("KILLED")
    asked, answered = threading.Event(), threading.Event()

    def resume_late(self, record):
        asked.set()
        answered.wait(60)
        self._client.update_run(first.run_id, "RUNNING")

    with monkeypatch.context() as patch:
        patch.setattr(MlflowWriter, "_write_resume", resume_late)
        suspended = MlflowTracker(TrackingConfig(), outputs, directory)
        suspended.resume(None)
        suspended._sender.await_opening(0)
        assert asked.wait(60)
    monkeypatch.setattr(ownership, "_owned", {})  # as in another process
    write_owner(directory, started="1")
    with _open(outputs, directory) as successor:
        successor.log_epoch(1, {"dev/loss": 1.0})
    assert load_run(first.run_id, None, outputs).status == "FINISHED"
    answered.set()
    suspended.abandon()
    assert load_run(first.run_id, None, outputs).status == "FINISHED"


def test_epochs_that_a_resumed_run_repeats_arrive_once_if_its_end_is_sent_by_sync(
    outputs, directory, client, monkeypatch
):
    first = _open(outputs, directory)
    first.log_epoch(1, {"dev/loss": 1.0})
    first.finish("KILLED")
    monkeypatch.setattr("framesweep.tracking.mlflow_tracker.DATABASE_SECONDS", 0.5)
    second = _open(outputs, directory)
    with monkeypatch.context() as patch:
        patch.setattr(MlflowWriter, "write", _refuse)
        second.log_epoch(1, {"dev/loss": 1.0})
        second.finish()
    sync(directory, outputs, 60)
    assert len(client.get_metric_history(first.run_id, "dev/loss")) == 1
    assert load_run(first.run_id, None, outputs).status == "FINISHED"


def _refuse(self, record):
    raise ConnectionError("no route")


def test_children_are_nested_under_their_parent(outputs, tmp_path, client):
    with _open(outputs, tmp_path / "parent") as parent:
        ids = []
        for number in range(3):
            folder = tmp_path / str(number)
            with _open(outputs, folder, parent_run_id=parent.run_id) as child:
                ids.append(child.run_id)
    children = client.search_runs(
        ["1"],
        f"tags.`mlflow.parentRunId` = '{parent.run_id}'",
        order_by=["attributes.start_time ASC"],
    )
    assert [run.info.run_id for run in children] == ids


def test_long_values_are_truncated_and_many_params_are_split_into_requests(outputs, directory):
    with _open(outputs, directory) as tracker:
        tracker.log_params({f"key.{i}": i for i in range(250)} | {"long": "x" * 10_000})
        tracker.log_tags({"long": "y" * 20_000})
        tracker.log_epoch(1, {f"m/{i}": float(i) for i in range(2500)})
    run = load_run(tracker.run_id, None, outputs)
    assert len(run.params) == 251
    assert run.params["long"].endswith("x... (10000 characters)")
    assert len(run.params["long"]) == 6000
    assert len(run.tags["long"]) == 8000
    assert len(run.metrics) == 2500


def test_values_that_are_not_finite_are_kept(outputs, directory):
    with _open(outputs, directory) as tracker:
        tracker.log_epoch(1, {"dev/loss": math.nan, "dev/accuracy": math.inf})
    run = load_run(tracker.run_id, None, outputs)
    assert math.isnan(run.metrics["dev/loss"])
    assert run.metrics["dev/accuracy"] > 1e300


def test_characters_that_mlflow_forbids_in_names_are_replaced(outputs, directory):
    with _open(outputs, directory) as tracker:
        tracker.log_params({"++optim.lr": 1, "model@net": 2, "a b-c/d:e_f.g": 3})
    params = load_run(tracker.run_id, None, outputs).params
    assert params == {"__optim.lr": "1", "model_net": "2", "a b-c/d:e_f.g": "3"}
    assert not (directory / "tracking" / "refused.jsonl").exists()


def test_the_dataset_is_logged_as_an_mlflow_input(outputs, directory, client):
    from mlflow.data import get_source

    splits = {"train": {"num_utterances": 3, "num_frames": 900}}
    with _open(outputs, directory) as tracker:
        tracker.log_dataset("hw1p2", "ab" * 32, root="/data", feature_dim=40, splits=splits)
        tracker.log_dataset("hw1p2", "ab" * 32, root="/data", feature_dim=40, splits=splits)
    (dataset,) = [one.dataset for one in client.get_run(tracker.run_id).inputs.dataset_inputs]
    assert (dataset.name, dataset.digest) == ("hw1p2", "ab" * 18)
    assert json.loads(dataset.profile) == splits
    assert "[-1, 40]" in dataset.schema
    source: Any = get_source(dataset)
    assert source.uri == "/data"
    assert load_run(tracker.run_id, None, outputs).tags["framesweep.data_fingerprint"] == (
        "ab" * 32
    )


def test_artifacts_are_uploaded_without_credentials(outputs, directory, client, tmp_path):
    config = directory / "config.yaml"
    config.write_text("uri: postgresql://ann:s3cret@host/db\n")
    report = directory / "report"
    report.mkdir()
    (report / "curves.png").write_bytes(b"\x89PNG")
    (report / "train.log").write_text("see http://ann:s3cret@host\n")
    with _open(outputs, directory) as tracker:
        tracker.log_artifact(config)
        tracker.log_artifact(report)
    names = {f.path for f in client.list_artifacts(tracker.run_id)}
    assert names == {"config.yaml", "report"}
    copy = client.download_artifacts(tracker.run_id, "", str(tmp_path))
    kept = {p.name: p.read_bytes() for p in tmp_path.joinpath(copy).rglob("*") if p.is_file()}
    assert kept["curves.png"] == b"\x89PNG"
    assert kept["config.yaml"] == b"uri: postgresql://***@host/db\n"
    assert kept["train.log"] == b"see http://***@host\n"
    assert "s3cret" in config.read_text()


def test_credentials_reach_neither_params_nor_tags_nor_files(outputs, directory):
    secret = "http://ann:s3cret@host"
    config = TrackingConfig(tags={"from": secret})
    with open_tracker(config, outputs, directory) as tracker:
        tracker.log_params({"tracking.uri": secret})
        tracker.log_tags({"other": secret})
    run = load_run(tracker.run_id, None, outputs)
    assert run.params["tracking.uri"] == "http://***@host"
    assert "s3cret" not in str(run)


def test_nothing_is_tracked_with_backend_none(outputs, directory):
    with open_tracker(TrackingConfig(backend="none"), outputs, directory) as tracker:
        tracker.log_epoch(1, {"dev/loss": 1.0})
        tracker.log_params({"a": 1})
    assert tracker.run_id is None
    assert list(directory.iterdir()) == []


def test_a_run_that_cannot_be_opened_is_an_error_at_its_start(outputs, directory, client):
    made = client.create_experiment("framesweep")
    client.delete_experiment(made)
    with pytest.raises(TrackingError, match="must not be deleted"):
        _open(outputs, directory)


def test_a_new_run_is_opened_after_its_first_steps_if_nobody_waits(outputs, directory):
    tracker = _open(outputs, directory, wait=False)
    tracker.log_epoch(1, {"dev/loss": 1.0})
    assert not [t for t in threading.enumerate() if t.name == "tracking"]
    assert tracker.run_id is None
    tracker.require_open(wait=False)
    tracker.require_open(wait=True)
    assert tracker.run_id is not None
    tracker.finish()
    assert load_run(tracker.run_id, None, outputs).metrics == {"dev/loss": 1.0}


def test_a_run_that_ends_before_its_first_step_is_tracked_all_the_same(outputs, directory):
    with pytest.raises(MemoryError), _open(outputs, directory, wait=False) as tracker:
        raise MemoryError
    assert load_run(tracker.run_id, None, outputs).status == "FAILED"


def test_a_run_that_is_abandoned_before_its_first_step_is_not_opened(
    outputs, directory, client
):
    tracker = _open(outputs, directory, wait=False)
    tracker.abandon()
    assert client.search_experiments(filter_string="name = 'framesweep'") == []


def test_a_new_run_that_cannot_be_opened_later_is_an_error_and_leaves_nothing_to_send(
    outputs, directory, client
):
    client.delete_experiment(client.create_experiment("framesweep"))
    tracker = _open(outputs, directory, wait=False)
    tracker.log_params({"seed": 1})
    with pytest.raises(TrackingError, match="must not be deleted"), tracker:
        tracker.require_open(wait=True)
    assert (directory / "tracking" / "outbox.jsonl").read_bytes() == b""
    assert Owner.read(directory) is None
    tracker.require_open(wait=True)  # it has been reported


def test_a_run_that_ends_before_it_could_be_opened_says_that_tracking_refuses_it(
    outputs, directory, client, caplog
):
    client.delete_experiment(client.create_experiment("framesweep"))
    with pytest.raises(RuntimeError), _open(outputs, directory, wait=False):
        raise RuntimeError
    assert "does not accept the run" in caplog.text
    assert "must not be deleted" in caplog.text
    assert '"start"' in (directory / "tracking" / "outbox.jsonl").read_text()


def test_a_run_to_continue_is_opened_before_training_even_if_nobody_waits(
    outputs, directory, client
):
    with _open(outputs, directory) as first:
        pass
    client.delete_run(first.run_id)
    with pytest.raises(LostRunError):
        _open(outputs, directory, wait=False)


def test_a_run_whose_database_was_deleted_is_an_error_with_the_fix(
    outputs, directory, mlflow_database, tmp_path
):
    with _open(outputs, directory):
        pass
    fresh = tmp_path / "fresh"
    fresh.mkdir()
    shutil.copy(mlflow_database, fresh)
    with pytest.raises(TrackingError, match=f"start a new run, delete {directory}/tracking"):
        _open(fresh, directory)
    shutil.rmtree(directory / "tracking")
    with _open(fresh, directory) as tracker:
        assert tracker.run_id is not None


def test_a_deleted_run_is_an_error_with_the_fix(outputs, directory, client):
    with _open(outputs, directory) as tracker:
        pass
    client.delete_run(tracker.run_id)
    with pytest.raises(LostRunError, match=f"has been deleted.*delete {directory}/tracking"):
        _open(outputs, directory)
    assert (directory / "tracking" / "outbox.jsonl").read_bytes() == b""
    client.restore_run(tracker.run_id)
    with _open(outputs, directory) as again:
        assert again.run_id == tracker.run_id


def test_a_lost_run_is_replaced_on_request(outputs, directory, client, caplog):
    with _open(outputs, directory) as old:
        pass
    client.delete_run(old.run_id)
    with _open(outputs, directory, run_id=old.run_id, replace_lost=True) as new:
        new.log_epoch(1, {"dev/loss": 1.0})
    assert f"{old.run_id}, which has been deleted; starting a new run instead" in caplog.text
    assert new.run_id != old.run_id
    assert load_metric_history(new.run_id, "dev/loss", None, outputs) == {1: 1.0}
    assert client.get_run(old.run_id).info.lifecycle_stage == "deleted"


def test_records_of_a_run_that_is_deleted_while_it_is_running_stay_on_disk(
    outputs, directory, client, caplog
):
    with _open(outputs, directory) as tracker:
        client.delete_run(tracker.run_id)
        for epoch in (1, 2):
            tracker.log_epoch(epoch, {"dev/loss": 1.0})
    assert "does not accept the run" in caplog.text
    assert f"framesweep sync {directory}" in caplog.text
    records = (directory / "tracking" / "outbox.jsonl").read_text().splitlines()
    assert [json.loads(r)["kind"] for r in records] == ["metrics", "metrics", "status"]


def test_records_are_kept_if_the_experiment_is_deleted_when_tracking_is_back(
    outputs, directory, client, monkeypatch, caplog
):
    client.delete_experiment(client.create_experiment("framesweep"))
    away = threading.Event()
    send = MlflowWriter.write

    def flaky(self, record):
        if not away.is_set():
            away.set()
            raise ConnectionError("away")
        send(self, record)

    monkeypatch.setattr(MlflowWriter, "write", flaky)
    with _open(outputs, directory) as tracker:
        tracker.log_epoch(1, {"dev/loss": 1.0})
    assert "tracking.experiment: must not be deleted" in caplog.text
    assert "3 records could not be sent" in caplog.text
    records = (directory / "tracking" / "outbox.jsonl").read_text().splitlines()
    assert [json.loads(r)["kind"] for r in records] == ["start", "metrics", "status"]


def test_the_number_of_refused_records_is_logged_at_the_end(outputs, directory, caplog):
    with caplog.at_level(logging.WARNING), _open(outputs, directory) as tracker:
        tracker.log_tags({"a+b": "x"})
        tracker.log_tags({"c+d": "x"})
        tracker.log_tags({"e": "x"})
    assert f"2 records were refused and moved to {directory}/tracking/refused" in caplog.text
    assert "could not be sent" not in caplog.text
    assert load_run(tracker.run_id, None, outputs).tags["e"] == "x"


def test_everything_arrives_once_after_tracking_was_unreachable(
    outputs, directory, client, monkeypatch
):
    away = {"start": 2, "metrics": 3, "params": 1, "status": 2}
    seen = []
    send = MlflowWriter.write

    def flaky(self, record):
        kind = record["kind"]
        if away.get(kind, 0):
            away[kind] -= 1
            if kind in ("metrics", "start"):
                send(self, record)  # MLflow received it, but the answer was lost
            raise ConnectionError("away")
        send(self, record)
        seen.append(kind)

    monkeypatch.setattr(MlflowWriter, "write", flaky)
    monkeypatch.setattr("framesweep.tracking.sender.FIRST_WAIT", 0.001)
    with _open(outputs, directory) as tracker:
        tracker.log_params({"a": 1})
        for epoch in (1, 2, 3):
            tracker.log_epoch(epoch, {"dev/loss": 1 / epoch})
    assert seen == ["start", "params", "metrics", "metrics", "metrics", "status"]
    assert len(client.search_runs(["1"])) == 1
    history = client.get_metric_history(tracker.run_id, "dev/loss")
    assert [(m.step, m.value) for m in history] == [(1, 1.0), (2, 0.5), (3, 1 / 3)]
