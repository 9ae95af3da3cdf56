"""Streamed windows equal those of rows that are all on the device, in every order."""

from pathlib import Path

import pytest
import torch

from framesweep.config import DataConfig
from framesweep.data import streamed_windows
from framesweep.data.store.frame_store import FrameStore, open_store
from framesweep.data.streamed_windows import StreamedWindows
from framesweep.data.windows import Windows
from framesweep.training import samplers
from framesweep.training.samplers import BlockShuffleSampler
from toy import ToyCorpus

CPU = torch.device("cpu")
BLOCK = 16


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (streamed_windows, samplers):
        monkeypatch.setattr(module, "BLOCK_FRAMES", BLOCK)


def toy_store(folder: Path, padding: str = "zero") -> FrameStore:
    lengths = {"train": (40, 25, 60, 1, 33, 90), "dev": (30, 20), "test": (15, 5)}
    config = DataConfig(context=7, padding=padding)  # type: ignore[arg-type]
    return open_store(config, ToyCorpus(lengths), folder)


@pytest.mark.parametrize("padding", ["zero", "replicate", "cross"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("batch", [5, 30, 32, 100])
def test_a_shuffled_epoch_has_the_windows_and_labels_of_its_frames(
    tmp_path, padding, dtype, batch
):
    split = toy_store(tmp_path, padding).splits["train"]
    plain = Windows(split, 7, CPU, dtype)
    streamed = StreamedWindows(split, 7, CPU, dtype, 2, batch)
    for epoch in range(1, 13):  # in some of them the short last block is not in the last buffer
        sampler = BlockShuffleSampler(
            3, epoch, split.num_frames, 2 * BLOCK, CPU, hold=streamed.hold
        )
        order = BlockShuffleSampler(3, epoch, split.num_frames, 2 * BLOCK, CPU)
        for first in range(0, split.num_frames, batch):
            frames = sampler.indices(first, batch)
            assert torch.equal(frames, order.indices(first, batch))
            inputs, labels = streamed.batch(frames)
            assert inputs.dtype == dtype
            assert torch.equal(inputs, plain.gather(frames))
            assert torch.equal(labels, plain.labels(frames))


def test_an_epoch_of_the_first_utterances_may_end_with_a_block_of_one_frame(tmp_path):
    split = toy_store(tmp_path).splits["train"]
    plain = Windows(split, 7, CPU)
    streamed = StreamedWindows(split, 7, CPU, torch.float32, 1, 10)
    num_frames = int(split.lengths[:2].sum())
    assert num_frames % BLOCK == 1
    assert split.num_frames % BLOCK != 1
    for epoch in range(1, 13):
        sampler = BlockShuffleSampler(3, epoch, num_frames, BLOCK, CPU, hold=streamed.hold)
        for first in range(0, num_frames, 10):
            frames = sampler.indices(first, 10)
            assert torch.equal(streamed.gather(frames), plain.gather(frames))


def test_an_epoch_can_be_entered_anywhere(tmp_path):
    split = toy_store(tmp_path).splits["train"]
    plain = Windows(split, 7, CPU)
    streamed = StreamedWindows(split, 7, CPU, torch.float32, 2, 20)
    for first in (200, 20, 90, 60, 0):
        sampler = BlockShuffleSampler(
            3, 1, split.num_frames, 2 * BLOCK, CPU, hold=streamed.hold
        )
        for position in (first, first + 20):
            frames = sampler.indices(position, 20)
            assert torch.equal(streamed.gather(frames), plain.gather(frames))


@pytest.mark.parametrize("batch", [7, 32, 50])
@pytest.mark.parametrize("following", [True, False])
def test_neighboring_frames_have_their_windows_and_stretches(tmp_path, batch, following):
    split = toy_store(tmp_path).splits["train"]
    plain = Windows(split, 7, CPU)
    streamed = StreamedWindows(split, 7, CPU, torch.float32, -(-batch // BLOCK) + 1)
    ranges = [
        (first, min(first + batch, split.num_frames))
        for first in range(0, split.num_frames, batch)
    ]
    for _ in range(2):
        for now, then in zip(ranges, [*ranges[1:], None], strict=True):
            streamed.hold_range(now, then if following else None)
            frames = torch.arange(*now)
            assert torch.equal(streamed.gather(frames), plain.gather(frames))
            rows, places = streamed.stretch(*now)
            expected_rows, expected_places = plain.stretch(*now)
            assert torch.equal(rows, expected_rows)
            assert torch.equal(places, expected_places)


def test_the_device_holds_two_buffers_only(tmp_path):
    split = toy_store(tmp_path).splits["train"]
    streamed = StreamedWindows(split, 7, CPU, torch.float32, 2)
    assert len(streamed._stream.values) < len(split.rows)
    longest = BLOCK + 2 * 7 + 2 * split.gap
    assert len(streamed._stream.values) <= 2 * 2 * longest


def test_rows_beyond_the_range_of_float16_are_served_in_float32(tmp_path):
    split = toy_store(tmp_path).splits["train"]
    streamed = StreamedWindows(split, 7, CPU, torch.float16, 2)
    streamed.hold_range((0, 10))
    assert streamed.dtype == streamed.gather(torch.arange(10)).dtype == torch.float32
