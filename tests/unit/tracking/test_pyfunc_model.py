"""The MLflow model passes features to the predictor that it contains."""

import sys
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from framesweep.tracking.pyfunc_model import PhoneClassifier, _find_predictor


class Predictor:
    """Returns the index of each frame's largest feature, and keeps what it was given."""

    def __init__(self, directory):
        self.directory = directory

    @classmethod
    def load(cls, directory):
        return cls(directory)

    def predict(self, features):
        self.features = features
        return features.argmax(axis=1)


@pytest.fixture
def model(monkeypatch):
    context: Any = SimpleNamespace(
        model_config={"predictor": "some.module:Predictor"}, artifacts={"predictor": "/folder"}
    )
    monkeypatch.setattr("pkgutil.resolve_name", {"some.module:Predictor": Predictor}.get)
    model = PhoneClassifier()
    model.load_context(context)
    return model


def test_the_predictor_is_loaded_from_its_folder(model):
    assert model.predictor.directory == "/folder"


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_floats_keep_their_width(model, dtype):
    assert model.predict(None, np.eye(3, dtype=dtype)).tolist() == [0, 1, 2]
    assert model.predictor.features.dtype == dtype


def test_other_numbers_become_floats(model):
    model.predict(None, np.eye(3, dtype=np.int64))
    assert model.predictor.features.dtype == np.float32


def test_a_data_frame_is_accepted(model):
    assert model.predict(None, pd.DataFrame(np.eye(2))).tolist() == [0, 1]


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
    earlier = _find_predictor("spoken.prediction:answer")
    import_from("present", predictor=f"NUMBER = 2{number}")
    assert _find_predictor("spoken.prediction:answer") is earlier
    present = _find_predictor("spoken.predictor:answer")
    assert (earlier(), present()) == (1, 2)


def test_a_package_that_the_predictor_lacks_is_named(import_from):
    import_from("present", predictor="import nowhere_to_be_found")
    with pytest.raises(ModuleNotFoundError, match="nowhere_to_be_found"):
        _find_predictor("spoken.predictor:answer")
    assert "spoken" in sys.modules
