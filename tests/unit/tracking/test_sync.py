"""Unsent records are sent to the destination of their run, or kept."""

import contextlib
import json
import shutil

import pytest

from configs import compose
from framesweep.config import TrackingConfig
from framesweep.config.composition import dump, register
from framesweep.credentials import URI_VARIABLE
from framesweep.errors import ConfigError, DirectoryInUseError, TrackingError
from framesweep.tracking import (
    UnreachableError,
    find_unsent_runs,
    load_metric_history,
    mlflow_store,
    open_tracker,
    sync,
    sync_ended_runs,
)
from framesweep.tracking.mlflow_writer import MlflowWriter
from framesweep.tracking.sync import RUN_FILE, TRACKING_FOLDER, _choose_uri, _Destination
from owners import write_owner


@pytest.fixture(autouse=True)
def short_waits(monkeypatch):
    monkeypatch.setattr("framesweep.tracking.mlflow_tracker.DATABASE_SECONDS", 0.2)
    monkeypatch.delenv(URI_VARIABLE, raising=False)


@pytest.fixture
def outputs(tracked_outputs):
    return tracked_outputs


@pytest.fixture
def served(tmp_path, mlflow_database):
    """Returns the URI of a database other than that of the outputs folder."""
    folder = tmp_path / "served"
    folder.mkdir()
    shutil.copy(mlflow_database, folder)
    return f"sqlite:///{folder}/mlflow.db"


@pytest.fixture
def client(served, outputs):
    return mlflow_store.connect(served, outputs)


@pytest.fixture
def directory(outputs):
    return outputs / "runs" / "today" / "now"


@contextlib.contextmanager
def unreachable():
    def refuse(self, record):
        raise ConnectionError("no route")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(MlflowWriter, "write", refuse)
        yield


@pytest.fixture
def unsent_outbox(outputs, directory, served):
    """Returns the outbox of a run whose server was unreachable from its start to its end."""
    config = TrackingConfig(uri=served, experiment="mine")
    with unreachable(), open_tracker(config, outputs, directory) as tracker:
        tracker.log_epoch(1, {"dev/loss": 1.0})
    return directory / "tracking" / "outbox.jsonl"


@pytest.fixture
def created_run_id(outputs, directory, served):
    """Returns the id of a run whose server became unreachable after its start."""
    tracker = open_tracker(TrackingConfig(uri=served, experiment="mine"), outputs, directory)
    with unreachable():
        tracker.log_epoch(1, {"dev/loss": 1.0})
        tracker.finish()
    return tracker.run_id


def runs_of(client, experiment):
    found = client.get_experiment_by_name(experiment)
    return [] if found is None else client.search_runs([found.experiment_id])


def local_runs(outputs):
    return runs_of(
        mlflow_store.connect(mlflow_store.resolve_tracking_uri(None, outputs), outputs),
        "framesweep",
    )


def test_a_run_is_sent_to_the_destination_it_was_started_for(
    outputs, directory, unsent_outbox, client
):
    sync(directory, outputs, 60)
    (run,) = runs_of(client, "mine")
    assert (run.info.status, run.data.metrics) == ("FINISHED", {"dev/loss": 1.0})
    assert local_runs(outputs) == []
    assert find_unsent_runs(outputs) == []
    sync(directory, outputs, 60)
    assert len(runs_of(client, "mine")) == 1


def test_the_config_decides_if_the_start_record_names_no_destination(
    outputs, directory, unsent_outbox, served, client
):
    records = [json.loads(line) for line in unsent_outbox.read_text().splitlines()]
    for key in ("uri", "experiment", "outputs", "crc"):  # earlier versions had no checksum
        del records[0][key]
    unsent_outbox.write_text("".join(json.dumps(record) + "\n" for record in records))
    with pytest.raises(TrackingError, match=r"must say where its run is tracked. Pass --uri"):
        sync(directory, outputs, 60)
    register()
    tracked = [f"tracking.uri={served}", "tracking.experiment=mine"]
    config = compose([f"outputs={outputs}", *tracked])
    (directory / "config.yaml").write_text(dump(config))
    sync(directory, outputs, 60)
    assert len(runs_of(client, "mine")) == 1
    assert local_runs(outputs) == []


def test_a_run_that_was_not_created_yet_can_be_sent_elsewhere(
    outputs, directory, unsent_outbox
):
    uri = mlflow_store.resolve_tracking_uri(None, outputs)
    sync(directory, outputs, 60, uri=uri, experiment="framesweep")
    assert len(local_runs(outputs)) == 1


def test_a_run_that_was_created_is_sent_to_no_other_server(
    outputs, directory, created_run_id, served
):
    uri = mlflow_store.resolve_tracking_uri(None, outputs)
    with pytest.raises(TrackingError, match=f"^--uri: must be {served}, where the run of"):
        sync(directory, outputs, 60, uri=uri)
    assert find_unsent_runs(outputs) == [directory]
    sync(directory, outputs, 60)
    assert load_metric_history(created_run_id, "dev/loss", served, outputs) == {1: 1.0}
    assert find_unsent_runs(outputs) == []


@pytest.mark.parametrize("other", ["http://ann:s3cret@elsewhere", None])
def test_a_removed_password_must_be_given_for_the_same_server(
    outputs, directory, unsent_outbox, monkeypatch, other
):
    start, *others = unsent_outbox.read_text().splitlines(keepends=True)
    record = {**json.loads(start), "uri": "http://***@host"}
    del record["crc"]
    unsent_outbox.write_text("".join([json.dumps(record), "\n", *others]))
    if other is not None:
        monkeypatch.setenv(URI_VARIABLE, other)
    with pytest.raises((TrackingError, ConfigError)) as caught:
        sync(directory, outputs, 60)
    assert "http://***@host" in str(caught.value)
    assert "s3cret" not in str(caught.value)
    assert find_unsent_runs(outputs) == [directory]


def test_the_user_of_a_database_may_be_missing_where_an_earlier_version_hid_it(directory):
    run_file = directory / TRACKING_FOLDER / RUN_FILE
    run_file.parent.mkdir(parents=True)
    run_file.touch()
    own = _Destination("postgresql://***@db/runs", directory)
    given = "postgresql://ann@db/runs"
    assert _choose_uri(given, own, directory) == given
    with pytest.raises(TrackingError, match="found 'postgresql://ann@other/runs'"):
        _choose_uri("postgresql://ann@other/runs", own, directory)


def test_a_deleted_run_keeps_its_unsent_records(
    outputs, directory, created_run_id, client, served
):
    client.delete_run(created_run_id)
    with pytest.raises(
        TrackingError,
        match=f"2 records are still unsent .*{created_run_id}, which has been deleted",
    ):
        sync(directory, outputs, 60)
    assert find_unsent_runs(outputs) == [directory]
    client.restore_run(created_run_id)
    sync(directory, outputs, 60)
    assert load_metric_history(created_run_id, "dev/loss", served, outputs) == {1: 1.0}


def test_a_run_unknown_to_the_server_keeps_its_unsent_records(
    outputs, directory, created_run_id
):
    run_file = directory / "tracking" / "run.json"
    uri = mlflow_store.resolve_tracking_uri(None, outputs)
    run_file.write_text(json.dumps({**json.loads(run_file.read_text()), "uri": uri}))
    with pytest.raises(
        TrackingError, match=f"2 records are still unsent .*must have the run {created_run_id}"
    ):
        sync(directory, outputs, 60)
    assert find_unsent_runs(outputs) == [directory]
    assert not (directory / "tracking" / "refused.jsonl").exists()


def test_a_run_of_a_deleted_experiment_keeps_its_unsent_records(
    outputs, directory, unsent_outbox, client
):
    made = client.create_experiment("mine")
    client.delete_experiment(made)
    with pytest.raises(
        TrackingError, match=r"3 records are still unsent \(tracking.experiment: must"
    ):
        sync(directory, outputs, 60)
    client.restore_experiment(made)
    sync(directory, outputs, 60)
    assert len(runs_of(client, "mine")) == 1


def test_refused_records_are_an_error(outputs, directory, created_run_id, served):
    box = directory / "tracking" / "outbox.jsonl"
    bad = {"kind": "tags", "tags": {"a+b": "x"}}
    box.write_text(json.dumps(bad) + "\n" + box.read_text())
    with pytest.raises(
        TrackingError, match=r"1 records were refused and moved to .*refused.jsonl"
    ):
        sync(directory, outputs, 60)
    assert "a+b" in (directory / "tracking" / "refused.jsonl").read_text()
    assert load_metric_history(created_run_id, "dev/loss", served, outputs) == {1: 1.0}


@pytest.mark.parametrize("damaged", range(3))
def test_a_damaged_line_is_moved_aside_and_all_others_are_sent(
    outputs, directory, unsent_outbox, served, client, damaged
):
    register()
    tracked = [f"tracking.uri={served}", "tracking.experiment=mine"]
    (directory / "config.yaml").write_text(dump(compose([f"outputs={outputs}", *tracked])))
    lines = unsent_outbox.read_bytes().splitlines(keepends=True)
    kinds = [json.loads(line)["kind"] for line in lines]
    lines[damaged] = b"#" + lines[damaged][1:]
    unsent_outbox.write_bytes(b"".join(lines))
    with pytest.raises(TrackingError, match="1 records were refused and moved to"):
        sync(directory, outputs, 60)
    (run,) = runs_of(client, "mine")
    assert (run.info.status == "FINISHED") == (kinds[damaged] != "status")
    assert run.data.metrics == ({} if kinds[damaged] == "metrics" else {"dev/loss": 1.0})
    (refused,) = (directory / "tracking" / "refused.jsonl").read_text().splitlines()
    assert kinds[damaged] in json.loads(refused)["line"]
    assert find_unsent_runs(outputs) == []


def test_the_records_of_a_run_that_is_being_trained_are_left_to_it(
    outputs, directory, unsent_outbox
):
    before = unsent_outbox.read_bytes()
    write_owner(directory)
    with pytest.raises(DirectoryInUseError, match=r"is being trained by \d+ on"):
        sync(directory, outputs, 60)
    assert unsent_outbox.read_bytes() == before


def test_nothing_more_is_sent_of_a_run_that_another_process_has_taken_over(
    outputs, directory, unsent_outbox, monkeypatch
):
    sent = []

    def write(self, record):
        sent.append(record["kind"])
        write_owner(directory)

    monkeypatch.setattr(MlflowWriter, "write", write)
    before = unsent_outbox.read_bytes()
    with pytest.raises(DirectoryInUseError, match="was taken over"):
        sync(directory, outputs, 60)
    assert sent == ["start"]
    assert unsent_outbox.read_bytes() == before


def test_of_several_runs_those_that_have_ended_are_sent(outputs, directory, served):
    config = TrackingConfig(uri=served, experiment="mine")
    names = ("ended", "running", "sent")
    with unreachable():
        for name in names[:2]:
            with open_tracker(config, outputs, directory.with_name(name)) as tracker:
                tracker.log_epoch(1, {"dev/loss": 1.0})
    open_tracker(config, outputs, directory.with_name("sent")).finish()
    write_owner(directory.with_name("running"))
    assert sync_ended_runs(directory.parent, outputs, 60) == []
    assert find_unsent_runs(outputs) == [directory.with_name("running")]


def test_of_several_runs_those_that_cannot_be_sent_are_returned(
    outputs, directory, unsent_outbox
):
    with unreachable():
        assert sync_ended_runs(directory.parent, outputs, 0.1) == [directory]
    assert find_unsent_runs(outputs) == [directory]


def test_a_server_that_is_still_unreachable_is_an_error(outputs, directory, unsent_outbox):
    with (
        unreachable(),
        pytest.raises(UnreachableError, match=r"3 records are still unsent. Try again later"),
    ):
        sync(directory, outputs, 0.1)
    assert find_unsent_runs(outputs) == [directory]


def test_a_folder_without_a_run_is_left_unchanged(outputs, tmp_path):
    folder = tmp_path / "some"
    folder.mkdir()
    with pytest.raises(TrackingError, match=r"outbox.jsonl: must exist"):
        sync(folder, outputs, 60)
    assert list(folder.iterdir()) == []
