"""A model is registered once, and its version can be loaded."""

import json
import shutil

import pytest
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import FEATURE_DISABLED, INTERNAL_ERROR

from framesweep.config.paths import file_path
from framesweep.errors import CheckpointError, TrackingError
from framesweep.tracking import mlflow_store
from framesweep.tracking.mlflow_writer import MlflowWriter
from framesweep.tracking.models import mlflow_model, registry
from framesweep.tracking.models.registry import register_run, register_winner


@pytest.fixture
def predictor(tmp_path):
    """Files in place of a predictor's, which logging copies without reading them."""
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "predictor.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(b"weights")
    return folder


@pytest.fixture
def client(tracked_outputs, monkeypatch):
    def write_nothing(path, *_):
        path.mkdir(parents=True)
        (path / "MLmodel").write_text("flavors: {}\n")

    monkeypatch.setattr(mlflow_model, "save_model", write_nothing)
    uri = mlflow_store.resolve_tracking_uri(None, tracked_outputs)
    return mlflow_store.connect(uri, tracked_outputs)


@pytest.fixture
def run_id(client, tracked_outputs):
    uri = mlflow_store.resolve_tracking_uri(None, tracked_outputs)
    experiment = mlflow_store.get_or_create_experiment(client, "speech", uri, tracked_outputs)
    return client.create_run(experiment).info.run_id


def versions(client, name="phones"):
    return client.search_model_versions(f"name = '{name}'")


def test_a_model_is_registered_once(client, run_id, predictor):
    mlflow_model.log_model(client, run_id, predictor)
    assert register_run(client, run_id, "phones") == "1"
    assert register_run(client, run_id, "phones") == "1"
    (version,) = versions(client)
    model = mlflow_model.find_model(client, run_id)
    assert model is not None
    assert (version.run_id, version.source) == (run_id, model.artifact_location)
    assert json.loads(model.tags["mlflow.modelVersions"]) == [{"name": "phones", "version": 1}]
    assert client.get_model_version_download_uri("phones", "1") == model.artifact_location


def test_better_weights_become_another_version_and_the_earlier_one_can_still_be_loaded(
    client, run_id, predictor
):
    for weights in (b"weights", b"better weights"):
        (predictor / "model.safetensors").write_bytes(weights)
        mlflow_model.log_model(client, run_id, predictor)
        register_run(client, run_id, "phones")
    found = {v.version: v.tags["framesweep.model"] for v in versions(client)}
    assert sorted(found) == [1, 2]
    assert len(set(found.values())) == 2
    for model_id in found.values():
        client.get_logged_model(model_id)


def test_a_model_whose_files_are_gone_is_logged_again(client, run_id, predictor):
    mlflow_model.log_model(client, run_id, predictor)
    register_run(client, run_id, "phones")
    lost = mlflow_model.find_model(client, run_id)
    shutil.rmtree(file_path(lost.artifact_location))
    mlflow_model.log_model(client, run_id, predictor)
    assert register_run(client, run_id, "phones") == "2"
    location = client.get_model_version_download_uri("phones", "2")
    assert file_path(location).joinpath("MLmodel").is_file()


def test_a_model_can_have_several_names(client, run_id, predictor):
    mlflow_model.log_model(client, run_id, predictor)
    for name in ("phones", "phones of children"):
        register_run(client, run_id, name)
        assert len(versions(client, name)) == 1
    model = mlflow_model.find_model(client, run_id)
    assert model is not None
    assert len(json.loads(model.tags["mlflow.modelVersions"])) == 2


def test_a_run_without_a_model_cannot_be_registered(client, run_id):
    with pytest.raises(TrackingError, match="must have a logged model to be registered"):
        register_run(client, run_id, "phones")


def test_a_record_registers_the_model_that_the_record_before_it_logged(
    client, predictor, tracked_outputs, tmp_path
):
    uri = mlflow_store.resolve_tracking_uri(None, tracked_outputs)
    folder = tmp_path / "tracking"
    folder.mkdir()
    writer = MlflowWriter(uri, "speech", tracked_outputs, folder)
    start = {"kind": "start", "key": "k", "name": "n", "time": 1, "tags": {}}
    model = {"kind": "model", "path": str(predictor), "feature_dim": 4}
    register = {"kind": "register", "name": "phones"}
    for record in (start, model, register, model, register):
        writer.write(record)
    (version,) = versions(client)
    assert version.run_id == writer.run_id


def test_the_winner_is_called_best_and_loses_the_alias_to_a_better_one(
    client, run_id, predictor, tracked_outputs
):
    def register():
        return register_winner(None, tracked_outputs, run_id, predictor.parent, "phones")

    assert [register(), register()] == ["1", "1"]
    assert str(client.get_model_version_by_alias("phones", "best").version) == "1"
    (predictor / "model.safetensors").write_bytes(b"better weights")
    assert register() == "2"
    assert str(client.get_model_version_by_alias("phones", "best").version) == "2"


@pytest.mark.parametrize(
    ("code", "line"),
    [
        (
            FEATURE_DISABLED,
            "must have a model registry that accepts the model (no such thing). Use a",
        ),
        (INTERNAL_ERROR, "must be reachable (no such thing)"),
    ],
)
def test_an_error_of_the_registry_is_one_line(
    code, line, client, run_id, predictor, tracked_outputs, monkeypatch
):
    def refuse(*_):
        raise MlflowException("no such thing\nbut a long text", error_code=code)

    monkeypatch.setattr(registry, "register_run", refuse)
    with pytest.raises(TrackingError) as caught:
        register_winner(None, tracked_outputs, run_id, predictor.parent, "phones")
    assert line in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_run_without_a_trained_network_cannot_win(tracked_outputs, tmp_path):
    with pytest.raises(CheckpointError, match=r"must contain model/predictor\.json\. Train"):
        register_winner(None, tracked_outputs, "run", tmp_path, "phones")
