"""The MLflow model passes its input to the network that it contains, and errors to clients."""

import json
import sys
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from mlflow.exceptions import MlflowException

from framesweep.errors import DataError, UserError
from framesweep.tracking.models.pyfunc_model import PhoneClassifier, _find_class


class Served:
    """Returns one phone, unless the input is None, and keeps what it was given."""

    def __init__(self, directory):
        self.directory = directory

    @classmethod
    def load(cls, directory):
        return cls(directory)

    def predict(self, model_input, params):
        if model_input is None:
            raise DataError("model input", "must contain an utterance")
        self.params = params
        return {"phone": ["AA"], "start_s": [0.0]}


@pytest.fixture
def model(monkeypatch):
    context: Any = SimpleNamespace(
        model_config={"served_model": "some.module:Served"}, artifacts={"predictor": "/folder"}
    )
    classes = {"some.module:Served": Served, "framesweep.errors:UserError": UserError}
    monkeypatch.setattr("pkgutil.resolve_name", classes.get)
    model = PhoneClassifier()
    model.load_context(context)
    return model


def test_the_network_is_loaded_from_its_folder(model):
    assert model._model.directory == "/folder"


def test_an_answer_is_a_data_frame(model):
    answer = model.predict(None, np.eye(3), {"smooth": True})
    assert answer.to_dict("records") == [{"phone": "AA", "start_s": 0.0}]
    assert model._model.params == {"smooth": True}


def test_an_error_reaches_the_client_of_a_server_as_one_line(model):
    with pytest.raises(MlflowException) as caught:
        model.predict(None, None)
    assert isinstance(caught.value.__cause__, DataError)
    line = "model input: must contain an utterance"
    assert str(caught.value) == line
    assert caught.value.get_http_status_code() == 400
    caught.value.message = f"Failed to predict data '...'. \nError: {line}"  # as MLflow does
    answer = json.loads(caught.value.serialize_as_json())
    assert answer == {"error_code": "INVALID_PARAMETER_VALUE", "message": line}


@pytest.fixture
def import_from(tmp_path, monkeypatch):
    """Return a function that puts a version of the package `spoken` first on sys.path."""

    def import_from(version, **modules):
        folder = tmp_path / version / "spoken"
        folder.mkdir(parents=True)
        for name, text in {"__init__": "", **modules}.items():
            (folder / f"{name}.py").write_text(text)
        monkeypatch.syspath_prepend(folder.parent)

    yield import_from
    for name in [name for name in sys.modules if name.partition(".")[0] == "spoken"]:
        del sys.modules[name]


def test_the_package_of_a_model_loaded_before_makes_way_for_this_models_own(import_from):
    number = "\ndef answer():\n    return NUMBER\n"
    import_from("earlier", prediction=f"NUMBER = 1{number}")
    earlier = _find_class("spoken.prediction:answer")
    import_from("present", predictor=f"NUMBER = 2{number}")
    assert _find_class("spoken.prediction:answer") is earlier
    present = _find_class("spoken.predictor:answer")
    assert (earlier(), present()) == (1, 2)


def test_a_package_that_the_model_lacks_is_named(import_from):
    import_from("present", predictor="import nowhere_to_be_found")
    with pytest.raises(ModuleNotFoundError, match="nowhere_to_be_found"):
        _find_class("spoken.predictor:answer")
    assert "spoken" in sys.modules
