"""Files of weights: no damage to one is used."""

import pytest
import torch
from safetensors.torch import save
from torch import nn

from framesweep.errors import CheckpointError
from framesweep.training.weight_files import dump_weights, load_weights


@pytest.fixture
def model():
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))


def test_no_flipped_bit_of_weights_changes_what_is_loaded(tmp_path, model):
    """Every byte of the file is damaged in turn; each is noticed or has no effect."""
    path, content = tmp_path / "model.safetensors", dump_weights(model)
    loaded = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))
    refused = 0
    for position in range(len(content)):
        damaged = bytearray(content)
        damaged[position] ^= 1
        path.write_bytes(damaged)
        try:
            load_weights(loaded, path)
        except CheckpointError:
            refused += 1
        else:
            for name, tensor in model.state_dict().items():
                assert torch.equal(loaded.state_dict()[name], tensor), position
    assert refused > len(content) * 0.8


def test_weights_without_a_checksum_are_loaded_as_earlier_versions_wrote_them(tmp_path, model):
    path = tmp_path / "model.safetensors"
    path.write_bytes(save(model.state_dict()))
    loaded = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))
    load_weights(loaded, path)
    assert torch.equal(loaded.state_dict()["0.weight"], model.state_dict()["0.weight"])


def test_the_error_says_what_to_do(tmp_path, model):
    path = tmp_path / "model.safetensors"
    path.write_bytes(dump_weights(model)[:-4])
    with pytest.raises(CheckpointError, match=r"undamaged .*\. Copy the other file\."):
        load_weights(model, path, "Copy the other file.")


def test_equal_weights_give_equal_files(model):
    assert dump_weights(model) == dump_weights(model)
