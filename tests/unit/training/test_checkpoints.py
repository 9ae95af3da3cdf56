"""Checkpoints on disk: complete, verified, and bound to their run."""

import errno

import pytest
import torch
from torch import nn

from framesweep.errors import CheckpointError
from framesweep.training.checkpoints import Checkpoints, NoCheckpoints, load_weights


def test_a_saved_state_is_loaded_again(tmp_path):
    weight = torch.arange(3.0)
    state = {"model": {"weight": weight}, "progress": {"epoch": 2, "history": []}}
    Checkpoints(tmp_path / "new", "id").save(state)
    loaded = Checkpoints(tmp_path / "new", "id").load()
    assert torch.equal(loaded["model"]["weight"], weight)
    assert loaded["progress"] == state["progress"]


def test_without_a_checkpoint_there_is_no_state(tmp_path):
    assert Checkpoints(tmp_path, "id").load() is None


def test_a_checkpoint_of_another_run_is_refused_but_not_one_of_an_earlier_version(tmp_path):
    Checkpoints(tmp_path, "old").save({})
    assert Checkpoints(tmp_path, "new", "old").load() is not None
    with pytest.raises(CheckpointError, match=r"last\.pt: must be of format 1 and config new"):
        Checkpoints(tmp_path, "new", "older").load()


@pytest.mark.parametrize("content", [b"", b"no checkpoint"])
def test_a_damaged_checkpoint_is_refused_with_a_way_out(tmp_path, content):
    checkpoints = Checkpoints(tmp_path, "id")
    checkpoints.last.write_bytes(content)
    with pytest.raises(CheckpointError, match="Delete it to start the run from its beginning"):
        checkpoints.load()


def test_a_full_disk_is_reported_as_such_and_keeps_the_previous_checkpoint(
    tmp_path, monkeypatch
):
    checkpoints = Checkpoints(tmp_path, "id")
    checkpoints.save({"number": 1})

    def fail(state, file):
        try:
            raise OSError(errno.ENOSPC, "No space left on device")
        except OSError:
            raise RuntimeError("PytorchStreamWriter failed") from None

    monkeypatch.setattr(torch, "save", fail)
    with pytest.raises(OSError, match="No space left on device"):
        checkpoints.save({"number": 2})
    monkeypatch.undo()
    assert checkpoints.load()["number"] == 1


def test_the_best_weights_are_loaded_into_a_network_of_the_same_shape_only(tmp_path):
    checkpoints = Checkpoints(tmp_path, "id")
    model, same, other = nn.Linear(3, 2), nn.Linear(3, 2), nn.Linear(4, 2)
    checkpoints.save_best(model)
    load_weights(same, checkpoints.best)
    assert torch.equal(same.weight, model.weight)
    with pytest.raises(CheckpointError, match="must hold this model's weights"):
        load_weights(other, checkpoints.best)
    with pytest.raises(CheckpointError, match="must hold this model's weights"):
        load_weights(same, tmp_path / "missing.safetensors")


def test_a_worker_writes_no_checkpoints(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    checkpoints = NoCheckpoints()
    checkpoints.save({"number": 1})
    checkpoints.save_best(nn.Linear(3, 2))
    assert checkpoints.load() is None
    assert list(tmp_path.iterdir()) == []
