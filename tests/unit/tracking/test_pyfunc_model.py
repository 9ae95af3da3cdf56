"""The MLflow model passes features to the predictor that it contains."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from framesweep.tracking.pyfunc_model import PhoneClassifier


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
