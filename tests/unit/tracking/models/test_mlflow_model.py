"""The logged model of a run: what it contains, and when it is replaced.

tests/integration/test_tracking_model.py loads one and predicts with it.
"""

from functools import partial
from importlib.metadata import version

import importlib_metadata
import mlflow
import pytest
from mlflow.utils import requirements_utils

from framesweep.tracking import mlflow_store
from framesweep.tracking.models import mlflow_model


@pytest.fixture
def predictor(tmp_path):
    """Files in place of a predictor's, which logging copies without reading them."""
    folder = tmp_path / "predictor"
    folder.mkdir()
    (folder / "model.safetensors").write_bytes(b"weights")
    return folder


@pytest.fixture
def client(tracked_outputs):
    uri = mlflow_store.resolve_tracking_uri(None, tracked_outputs)
    return mlflow_store.connect(uri, tracked_outputs)


@pytest.fixture
def run_id(client, tracked_outputs):
    artifacts = (tracked_outputs / "artifacts").as_uri()  # by default in the working directory
    return client.create_run(client.create_experiment("speech", artifacts)).info.run_id


@pytest.fixture
def log_model(client, run_id, predictor, monkeypatch):
    """Logs the predictor, without copying this package into it; returns all models' ids."""
    monkeypatch.setattr(
        mlflow_model,
        "save_model",
        lambda path, directory, *_: path.joinpath("x").mkdir(parents=True),
    )

    def log():
        mlflow_model.log_model(client, run_id, predictor)
        experiment_id = client.get_run(run_id).info.experiment_id
        return [model.model_id for model in client.search_logged_models([experiment_id])]

    return log


def test_the_model_has_a_signature_and_no_pickle(predictor, tmp_path, monkeypatch):
    path = tmp_path / "model"
    monkeypatch.setattr(requirements_utils, "_MODULES_TO_PACKAGES", None)
    search = partial(pytest.fail, "reading what is installed takes half a second")
    monkeypatch.setattr(importlib_metadata, "packages_distributions", search)
    mlflow_model.save_model(path, predictor)
    signature = mlflow.models.get_model_info(str(path)).signature
    assert signature.inputs is None  # features, samples and paths have no schema in common
    assert {c.name: c.type.name for c in signature.outputs.inputs} == {
        "utterance": "long",
        "phone": "string",
        "id": "long",
        "start_s": "double",
        "end_s": "double",
        "posterior": "double",
    }
    assert [p.name for p in signature.params.params] == ["sample_rate", "smooth", "frames"]
    assert (path / "artifacts" / "predictor" / "model.safetensors").read_bytes() == b"weights"
    assert (path / "code/framesweep/tracking/models/pyfunc_model.py").exists()
    assert not [p for p in path.rglob("*") if p.suffix in (".pkl", ".pickle", ".pt")]
    requirements = (path / "requirements.txt").read_text()
    assert f"mlflow=={version('mlflow')}" in requirements
    assert "hydra" not in requirements


def test_the_suffix_of_a_local_build_is_not_pinned(monkeypatch):
    monkeypatch.setattr(mlflow_model, "version", lambda name: "2.13.0+cpu")
    assert "torch==2.13.0" in mlflow_model._pin_requirements()


def test_the_same_files_are_logged_once(log_model):
    first = log_model()
    assert len(first) == 1
    assert log_model() == first


def test_other_weights_replace_the_model(log_model, predictor):
    (first,) = log_model()
    (predictor / "model.safetensors").write_bytes(b"better weights")
    (second,) = log_model()
    assert second != first


def test_an_incomplete_model_is_replaced(log_model, client, run_id):
    experiment_id = client.get_run(run_id).info.experiment_id
    incomplete = client.create_logged_model(experiment_id, "model", run_id)
    (model,) = log_model()
    assert model != incomplete.model_id


def test_a_registered_model_is_kept(log_model, client, predictor):
    (first,) = log_model()
    client.set_logged_model_tags(first, {"mlflow.modelVersions": "[]"})
    (predictor / "model.safetensors").write_bytes(b"better weights")
    assert len(log_model()) == 2


def test_the_last_complete_model_of_a_run_is_found(log_model, client, run_id, predictor):
    assert mlflow_model.find_model(client, run_id) is None
    log_model()
    (predictor / "model.safetensors").write_bytes(b"better weights")
    (second,) = log_model()
    experiment_id = client.get_run(run_id).info.experiment_id
    client.create_logged_model(experiment_id, "model", run_id)  # incomplete
    model = mlflow_model.find_model(client, run_id)
    assert model is not None
    assert model.model_id == second


def test_models_of_other_names_are_kept(log_model, client, run_id):
    experiment_id = client.get_run(run_id).info.experiment_id
    other = client.create_logged_model(experiment_id, "of a user", run_id)
    assert other.model_id in log_model()


def test_the_hash_depends_on_contents_only(predictor):
    before = mlflow_model._hash_files(predictor)
    (predictor / "model.safetensors").touch()
    assert mlflow_model._hash_files(predictor) == before
    (predictor / "model.safetensors").write_bytes(b"others")
    assert mlflow_model._hash_files(predictor) != before
