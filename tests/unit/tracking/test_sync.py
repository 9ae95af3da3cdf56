"""What waits goes to where its run belongs, or stays."""

import contextlib
import json
import shutil

import pytest

from framesweep.config import TrackingConfig
from framesweep.config.composition import compose, dump, register
from framesweep.errors import ConfigError, TrackingError
from framesweep.tracking import (
    UnreachableError,
    find_unsent_runs,
    load_metric_history,
    mlflow_store,
    open_tracker,
    sync,
)
from framesweep.tracking.mlflow_writer import MlflowWriter


@pytest.fixture(autouse=True)
def hurry(monkeypatch):
    monkeypatch.setattr("framesweep.tracking.mlflow_tracker.DATABASE_SECONDS", 0.2)
    monkeypatch.delenv(mlflow_store.URI_VARIABLE, raising=False)


@pytest.fixture
def outputs(tracked_outputs):
    return tracked_outputs


@pytest.fixture
def served(tmp_path, mlflow_database):
    """The URI of another database than the outputs folder's."""
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
def away():
    def refuse(self, record):
        raise ConnectionError("no route")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(MlflowWriter, "write", refuse)
        yield


@pytest.fixture
def never_begun(outputs, directory, served):
    """The outbox of a run whose server was away from its start to its end."""
    config = TrackingConfig(uri=served, experiment="mine")
    with away(), open_tracker(config, outputs, directory) as tracker:
        tracker.log_epoch(1, {"dev/loss": 1.0})
    return directory / "tracking" / "outbox.jsonl"


@pytest.fixture
def begun(outputs, directory, served):
    """The id of a run whose server went away after its start."""
    tracker = open_tracker(TrackingConfig(uri=served, experiment="mine"), outputs, directory)
    with away():
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


def test_a_run_goes_where_it_was_to_go(outputs, directory, never_begun, client):
    sync(directory, outputs, 60)
    (run,) = runs_of(client, "mine")
    assert (run.info.status, run.data.metrics) == ("FINISHED", {"dev/loss": 1.0})
    assert local_runs(outputs) == []
    assert find_unsent_runs(outputs) == []
    sync(directory, outputs, 60)
    assert len(runs_of(client, "mine")) == 1


def test_the_config_says_where_a_run_goes_whose_start_does_not(
    outputs, directory, never_begun, served, client
):
    records = [json.loads(line) for line in never_begun.read_text().splitlines()]
    for key in ("uri", "experiment", "outputs"):
        del records[0][key]
    never_begun.write_text("".join(json.dumps(record) + "\n" for record in records))
    with pytest.raises(TrackingError, match=r"must say where its run is tracked. Give --uri"):
        sync(directory, outputs, 60)
    register()
    tracked = [f"tracking.uri={served}", "tracking.experiment=mine"]
    config = compose([f"outputs={outputs}", *tracked])
    (directory / "config.yaml").write_text(dump(config))
    sync(directory, outputs, 60)
    assert len(runs_of(client, "mine")) == 1
    assert local_runs(outputs) == []


def test_a_run_that_is_nowhere_yet_can_be_sent_elsewhere(outputs, directory, never_begun):
    uri = mlflow_store.resolve_tracking_uri(None, outputs)
    sync(directory, outputs, 60, uri=uri, experiment="framesweep")
    assert len(local_runs(outputs)) == 1


def test_a_run_that_is_somewhere_is_sent_nowhere_else(outputs, directory, begun, served):
    uri = mlflow_store.resolve_tracking_uri(None, outputs)
    with pytest.raises(TrackingError, match=f"^--uri: must be {served}, where the run of"):
        sync(directory, outputs, 60, uri=uri)
    assert find_unsent_runs(outputs) == [directory]
    sync(directory, outputs, 60)
    assert load_metric_history(begun, "dev/loss", served, outputs) == {1: 1.0}
    assert find_unsent_runs(outputs) == []


@pytest.mark.parametrize("other", ["http://ann:s3cret@elsewhere", None])
def test_a_password_is_to_be_given_again_for_the_same_server(
    outputs, directory, never_begun, monkeypatch, other
):
    start, *others = never_begun.read_text().splitlines(keepends=True)
    start = json.dumps({**json.loads(start), "uri": "http://***@host"})
    never_begun.write_text("".join([start, "\n", *others]))
    if other is not None:
        monkeypatch.setenv(mlflow_store.URI_VARIABLE, other)
    with pytest.raises((TrackingError, ConfigError)) as caught:
        sync(directory, outputs, 60)
    assert "http://***@host" in str(caught.value)
    assert "s3cret" not in str(caught.value)
    assert find_unsent_runs(outputs) == [directory]


def test_a_run_that_is_gone_keeps_its_records(outputs, directory, begun, client, served):
    client.delete_run(begun)
    with pytest.raises(TrackingError, match=f"2 records still wait .*{begun} undeleted"):
        sync(directory, outputs, 60)
    assert find_unsent_runs(outputs) == [directory]
    client.restore_run(begun)
    sync(directory, outputs, 60)
    assert load_metric_history(begun, "dev/loss", served, outputs) == {1: 1.0}


def test_a_run_that_its_server_never_had_keeps_its_records(outputs, directory, begun):
    run_file = directory / "tracking" / "run.json"
    uri = mlflow_store.resolve_tracking_uri(None, outputs)
    run_file.write_text(json.dumps({**json.loads(run_file.read_text()), "uri": uri}))
    with pytest.raises(
        TrackingError, match=f"2 records still wait .*must have the run {begun}"
    ):
        sync(directory, outputs, 60)
    assert find_unsent_runs(outputs) == [directory]
    assert not (directory / "tracking" / "refused.jsonl").exists()


def test_an_experiment_that_is_gone_keeps_its_records(outputs, directory, never_begun, client):
    made = client.create_experiment("mine")
    client.delete_experiment(made)
    with pytest.raises(
        TrackingError, match=r"3 records still wait \(tracking.experiment: must"
    ):
        sync(directory, outputs, 60)
    client.restore_experiment(made)
    sync(directory, outputs, 60)
    assert len(runs_of(client, "mine")) == 1


def test_refused_records_are_told(outputs, directory, begun, served):
    box = directory / "tracking" / "outbox.jsonl"
    bad = {"kind": "tags", "tags": {"a+b": "x"}}
    box.write_text(json.dumps(bad) + "\n" + box.read_text())
    with pytest.raises(
        TrackingError, match=r"1 records were refused and lie in .*refused.jsonl"
    ):
        sync(directory, outputs, 60)
    assert "a+b" in (directory / "tracking" / "refused.jsonl").read_text()
    assert load_metric_history(begun, "dev/loss", served, outputs) == {1: 1.0}


def test_a_server_that_is_still_away_is_told(outputs, directory, never_begun):
    with (
        away(),
        pytest.raises(UnreachableError, match=r"3 records still wait. Try again later"),
    ):
        sync(directory, outputs, 0.1)
    assert find_unsent_runs(outputs) == [directory]


def test_what_is_no_run_is_left_as_it_is(outputs, tmp_path):
    folder = tmp_path / "some"
    folder.mkdir()
    with pytest.raises(TrackingError, match=r"outbox.jsonl: must exist"):
        sync(folder, outputs, 60)
    assert list(folder.iterdir()) == []
