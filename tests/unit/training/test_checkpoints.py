"""Checkpoints on disk: complete, verified, and bound to their run."""

import errno
import logging

import pytest
import torch
from torch import nn

from framesweep.errors import CheckpointError, OwnershipLostError
from framesweep.system.locks.ownership import own
from framesweep.training.checkpoints import Checkpoints, NoCheckpoints, read_progress
from framesweep.training.weight_files import load_weights
from owners import write_owner


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
    with pytest.raises(
        CheckpointError, match=r"last\.pt: must be saved with this config and corpus"
    ):
        Checkpoints(tmp_path, "new", "older").load()


@pytest.mark.parametrize("content", [b"", b"no checkpoint"])
def test_a_damaged_checkpoint_is_refused_with_a_way_out(tmp_path, content):
    checkpoints = Checkpoints(tmp_path, "id")
    checkpoints.last.write_bytes(content)
    with pytest.raises(
        CheckpointError, match=r"Delete the folder .* to start the run from its beginning"
    ):
        checkpoints.load()


def flip_bit(path, position):
    content = bytearray(path.read_bytes())
    content[position] ^= 1
    path.write_bytes(content)


def same(state, other) -> bool:
    return torch.equal(state["weight"], other["weight"]) and state["epoch"] == other["epoch"]


def test_no_flipped_bit_of_a_checkpoint_changes_what_is_loaded(tmp_path):
    """Every 13th byte of the file is damaged in turn; each is noticed or has no effect."""
    checkpoints = Checkpoints(tmp_path, "id")
    state = {"weight": torch.arange(64.0), "epoch": 3}
    checkpoints.save(state)
    content, refused = checkpoints.last.read_bytes(), 0
    for position in range(0, len(content), 13):
        flip_bit(checkpoints.last, position)
        try:
            assert same(checkpoints.load(), state), position
        except CheckpointError:
            refused += 1
        checkpoints.last.write_bytes(content)
    assert refused > len(content) // 13 // 10


def test_a_damaged_checkpoint_is_replaced_by_the_previous_one_and_a_line_says_so(
    tmp_path, caplog
):
    checkpoints = Checkpoints(tmp_path, "id")
    for epoch in (1, 2):
        checkpoints.save({"weight": torch.full((64,), float(epoch)), "epoch": epoch})
    raw = checkpoints.last.read_bytes()
    flip_bit(checkpoints.last, raw.index(torch.full((64,), 2.0).numpy().tobytes()) + 3)
    with caplog.at_level(logging.WARNING):
        loaded = checkpoints.load()
    assert loaded["epoch"] == 1
    (line,) = caplog.messages
    assert str(checkpoints.last) in line
    assert "using previous.pt" in line
    # The next save keeps the good checkpoint instead of the damaged one.
    checkpoints.save({"weight": torch.zeros(1), "epoch": 2})
    assert torch.load(checkpoints.previous)["epoch"] == 1


def test_a_run_that_was_killed_between_two_renames_has_its_previous_checkpoint(tmp_path):
    checkpoints = Checkpoints(tmp_path, "id")
    checkpoints.save({"epoch": 1})
    checkpoints.last.replace(checkpoints.previous)
    assert checkpoints.load()["epoch"] == 1


@pytest.mark.parametrize(
    ("error", "raised"),
    [
        (OSError(errno.EIO, "Input/output error"), CheckpointError),
        (PermissionError(errno.EACCES, "Permission denied"), CheckpointError),
        (MemoryError("too little"), MemoryError),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), RuntimeError),
    ],
)
def test_a_checkpoint_that_cannot_be_read_is_neither_damaged_nor_deleted(
    tmp_path, monkeypatch, error, raised
):
    checkpoints = Checkpoints(tmp_path, "id")
    for epoch in (1, 2):
        checkpoints.save({"progress": {"epoch": epoch}})

    def fail(path, **_):
        if path == checkpoints.last:
            raise error
        return {"format": 1, "identity": "id", "progress": {"epoch": 1}}

    monkeypatch.setattr(torch, "load", fail)
    for read in (checkpoints.load, lambda: read_progress(tmp_path)):
        with pytest.raises(raised, match=r"must be readable|too little|can't allocate") as info:
            read()
        assert "Delete the folder" not in str(info.value)
    monkeypatch.undo()
    assert checkpoints.load()["progress"]["epoch"] == 2


def test_progress_is_read_from_the_checkpoint_from_which_the_run_would_be_resumed(
    tmp_path, caplog
):
    checkpoints = Checkpoints(tmp_path, "id")
    for epoch in (1, 2):
        checkpoints.save({"progress": {"epoch": epoch}})
    assert read_progress(tmp_path) == {"epoch": 2}
    checkpoints.last.write_bytes(b"damaged")
    assert read_progress(tmp_path) == {"epoch": 1}
    assert "using previous.pt" in caplog.text
    checkpoints.last.unlink()  # killed between the two renames
    assert read_progress(tmp_path) == {"epoch": 1}
    checkpoints.previous.unlink()
    with pytest.raises(CheckpointError, match="must contain a checkpoint"):
        read_progress(tmp_path)


def test_a_damaged_checkpoint_is_kept_if_the_one_before_it_is_refused(tmp_path):
    Checkpoints(tmp_path, "other").save({})
    checkpoints = Checkpoints(tmp_path, "id")
    checkpoints.save({})
    checkpoints.last.write_bytes(b"damaged")
    with pytest.raises(CheckpointError, match="must be saved with this config"):
        checkpoints.load()
    assert checkpoints.last.exists()


def test_the_error_of_another_format_names_the_version_that_saved_the_checkpoint(tmp_path):
    checkpoints = Checkpoints(tmp_path, "id")
    torch.save({"format": 2, "identity": "id", "version": "9.0"}, checkpoints.last)
    with pytest.raises(CheckpointError, match=r"framesweep 9\.0 saved it; found 2"):
        checkpoints.load()


def test_a_checkpoint_of_another_version_is_not_called_one_of_another_run(tmp_path):
    checkpoints = Checkpoints(tmp_path, "id")
    torch.save({"format": 1, "identity": "other"}, checkpoints.last)
    with pytest.raises(CheckpointError, match=r"framesweep 0\.1, another config or another"):
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


def test_a_process_that_was_taken_over_changes_no_checkpoint(tmp_path):
    folder = tmp_path / "run" / "checkpoints"
    checkpoints = Checkpoints(folder, "id")
    with own(tmp_path / "run"):
        for number in (1, 2):
            checkpoints.save({"number": number})
        checkpoints.save_best(nn.Linear(3, 2))
        before = {path: path.read_bytes() for path in folder.iterdir()}
        write_owner(tmp_path / "run", claim=1)
        with pytest.raises(OwnershipLostError):
            checkpoints.save({"number": 3})
        with pytest.raises(OwnershipLostError):
            checkpoints.save_best(nn.Linear(3, 2))
    assert {path: path.read_bytes() for path in folder.iterdir()} == before


def test_a_worker_writes_no_checkpoints(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    checkpoints = NoCheckpoints()
    checkpoints.save({"number": 1})
    checkpoints.save_best(nn.Linear(3, 2))
    assert checkpoints.load() is None
    assert list(tmp_path.iterdir()) == []
