"""A predictor that is written and loaded classifies as the network that it was made from."""

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from configs import compose
from framesweep.config.composition import CONFIG_FILE, dump, register
from framesweep.data.store.frame_store import open_store
from framesweep.errors import CheckpointError, DataError
from framesweep.evaluation.predictor import (
    METADATA,
    WEIGHTS,
    Predictor,
    build_network,
    write_metadata,
)
from toy import NAMES, ToyCorpus

register()


@pytest.fixture
def corpus() -> ToyCorpus:
    return ToyCorpus()


@pytest.fixture
def saved(tmp_path, corpus):
    """A folder with a model, and the network in it."""
    config = compose(["data.context=3", "data.normalize=utterance", "model.widths=[8]"])
    store = open_store(config.data, corpus, tmp_path / "cache")
    torch.manual_seed(0)
    network = build_network(config, store.feature_dim, len(NAMES)).eval()
    folder = tmp_path / "model"
    folder.mkdir()
    write_metadata(folder, store, config.data)
    (folder / CONFIG_FILE).write_text(dump(config))
    save_file(network.state_dict(), folder / WEIGHTS)
    return folder, network


def test_a_loaded_predictor_classifies_windows_as_the_network_does(saved, corpus):
    folder, network = saved
    predictor = Predictor.load(folder)
    utterance = next(corpus.utterances("dev"))
    features = np.asarray(utterance.features, dtype=np.float64)
    normal = (features - features.mean(0)) / features.std(0)
    rows = np.pad(normal, ((3, 3), (0, 0))).astype(np.float32)
    windows = np.stack([rows[i : i + 7].ravel() for i in range(len(features))])
    with torch.no_grad():
        expected = network(torch.from_numpy(windows)).log_softmax(dim=1)
    found = predictor.log_posteriors(utterance.features)
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)
    assert predictor.predict(utterance.features).tolist() == expected.argmax(dim=1).tolist()
    assert predictor.phones.names == NAMES


def test_features_of_another_width_are_refused(saved):
    predictor = Predictor.load(saved[0])
    with pytest.raises(DataError, match=r"must have 6 features per frame; found 5"):
        predictor.predict(np.zeros((10, 5), dtype=np.float32))


@pytest.mark.parametrize("name", [METADATA, WEIGHTS, CONFIG_FILE])
def test_a_missing_file_is_named(saved, name):
    folder, _ = saved
    (folder / name).unlink()
    with pytest.raises(CheckpointError) as caught:
        Predictor.load(folder)
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)


def test_damaged_metadata_is_an_error_of_one_line(saved):
    folder, _ = saved
    (folder / METADATA).write_text("{")
    with pytest.raises(CheckpointError, match="must hold a trained network"):
        Predictor.load(folder)


@pytest.mark.parametrize("text", ["{}", "[]", "null"])
def test_metadata_of_another_kind_is_an_error_of_one_line(saved, text):
    folder, _ = saved
    (folder / METADATA).write_text(text)
    with pytest.raises(CheckpointError, match=r"predictor\.json: must hold a trained network"):
        Predictor.load(folder)


def test_a_changed_value_in_the_metadata_is_noticed(saved):
    folder, _ = saved
    text = (folder / METADATA).read_text()
    (folder / METADATA).write_text(text.replace('"utterance"', '"none"'))
    with pytest.raises(CheckpointError, match="damaged"):
        Predictor.load(folder)
