"""Labels and predictions, and a model of audio, that several tests share."""

import numpy as np
import pytest

from audio_model import write_model
from framesweep.config.composition import register

register()

NUM_PHONES = 12


@pytest.fixture(scope="module")
def frames() -> tuple[np.ndarray, np.ndarray]:
    """Labels and predictions; phone 3 never occurs, phone 5 is never predicted."""
    rng = np.random.default_rng(0)
    labels = rng.choice([i for i in range(NUM_PHONES) if i != 3], size=5000)
    noise = rng.integers(0, NUM_PHONES, size=5000)
    predictions = np.where(rng.random(5000) < 0.6, labels, noise)
    predictions[predictions == 5] = 0
    return labels, predictions


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The folder of an untrained model of audio, as a run leaves it."""
    folder = tmp_path_factory.mktemp("run") / "model"
    write_model(folder)
    return folder
