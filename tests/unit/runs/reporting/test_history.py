"""The metrics of each epoch in a file."""

import os

import pytest
import torch

from framesweep.errors import CheckpointError
from framesweep.runs.reporting.history import (
    HISTORY,
    REPORT_FOLDER,
    History,
    read_history,
    write_history,
)
from framesweep.training.checkpoints import CHECKPOINT_FOLDER, FORMAT, LAST, PREVIOUS

HISTORY_OF_TWO = History(
    [{"train/loss": 0.1 + 0.2}, {"train/loss": float("nan"), "dev/smoothed_accuracy": 1e-9}], 1
)


def test_what_was_written_is_read_bit_for_bit(tmp_path):
    (tmp_path / REPORT_FOLDER).mkdir()
    write_history(tmp_path, HISTORY_OF_TWO)
    read = read_history(tmp_path)
    assert read.epochs[0] == HISTORY_OF_TWO.epochs[0]
    assert repr(read.epochs[1]) == repr(dict(HISTORY_OF_TWO.epochs[1]))
    assert read.best_epoch == 1


def test_a_run_that_has_not_finished_is_read_from_its_checkpoint(tmp_path):
    folder = tmp_path / CHECKPOINT_FOLDER
    folder.mkdir()
    progress = {"history": [{"train/loss": 0.5}], "best_epoch": 1}
    torch.save({"format": FORMAT, "identity": "x", "progress": progress}, folder / LAST)
    assert read_history(tmp_path) == History([{"train/loss": 0.5}], 1)


def test_a_run_with_a_damaged_checkpoint_is_read_from_the_one_before_it(tmp_path):
    folder = tmp_path / CHECKPOINT_FOLDER
    folder.mkdir()
    progress = {"history": [{"train/loss": 0.5}], "best_epoch": 1}
    torch.save({"format": FORMAT, "identity": "x", "progress": progress}, folder / PREVIOUS)
    (folder / LAST).write_bytes(b"damaged")
    assert read_history(tmp_path) == History([{"train/loss": 0.5}], 1)


def test_a_run_that_is_being_resumed_is_read_from_its_checkpoint(tmp_path):
    folder = tmp_path / CHECKPOINT_FOLDER
    folder.mkdir()
    (tmp_path / REPORT_FOLDER).mkdir()
    epochs = [{"dev/accuracy": 0.5}, {"dev/accuracy": 0.7}, {"dev/accuracy": 0.6}]
    progress = {"history": epochs[:2], "best_epoch": 2}
    torch.save({"format": FORMAT, "identity": "x", "progress": progress}, folder / LAST)
    write_history(tmp_path, History(epochs[:1], 1))
    csv = tmp_path / REPORT_FOLDER / HISTORY
    os.utime(csv, (0, 0))
    assert read_history(tmp_path) == History(epochs[:2], 2)
    for written in (epochs[:2], epochs):  # of what both have, the report has more metrics
        write_history(tmp_path, History(written, 1))
        os.utime(csv, (0, 0))
        assert read_history(tmp_path) == History(written, 1)
    (folder / LAST).write_bytes(b"damaged")
    assert read_history(tmp_path) == History(epochs, 1)


def test_a_run_that_has_not_begun_has_none(tmp_path):
    with pytest.raises(CheckpointError, match="Has this run finished an epoch"):
        read_history(tmp_path)


def test_a_damaged_file_is_named(tmp_path):
    (tmp_path / REPORT_FOLDER).mkdir()
    (tmp_path / REPORT_FOLDER / HISTORY).write_text("epoch,train/loss\n1,2\n")
    with pytest.raises(CheckpointError, match=HISTORY):
        read_history(tmp_path)
