"""Chunks contain the windows of their frames, at any tempo, and the right labels."""

import numpy as np
import pytest
import torch

from framesweep.config import MAX_CONTEXT, DataConfig
from framesweep.data.chunks import UNLABELLED, FrameChunks
from framesweep.data.store.frame_store import Split, open_store
from framesweep.data.windows import Windows
from framesweep.training.samplers import ChunkSampler
from toy import ToyCorpus

CPU = torch.device("cpu")
LENGTHS = {"train": (40, 3, 25, 60, 33), "dev": (30,)}


def open_train(tmp_path, **keys):
    return open_store(DataConfig(**keys), ToyCorpus(LENGTHS), tmp_path).splits["train"]


@pytest.mark.parametrize("padding", ["zero", "replicate", "cross"])
@pytest.mark.parametrize(("context", "chunk_frames"), [(0, 1), (7, 16), (MAX_CONTEXT, 100)])
def test_epoch_contains_the_window_and_label_of_every_frame(
    tmp_path, padding, context, chunk_frames
):
    split = open_train(tmp_path, padding=padding)
    windows = Windows(split, context, CPU)
    chunks = FrameChunks(split, context, chunk_frames, 1, CPU)
    order = ChunkSampler(0, 1, chunks.num_rows, chunks.chunk_frames)
    assert len(order) == chunks.num_items
    inputs, labels = chunks.batch(order.indices(0, chunks.num_items))
    assert labels.shape == (chunks.num_items * chunk_frames,)
    seen = inputs.view(len(inputs), -1, chunks.feature_dim).unfold(1, 2 * context + 1, 1)
    seen = seen.transpose(2, 3).flatten(2).flatten(0, 1)[labels != UNLABELLED]
    expected = windows.gather(torch.arange(windows.num_frames))
    found = (seen.unsqueeze(1) == expected).all(dim=2)
    assert found.any(dim=0).all(), "a frame is missing"
    assert found.any(dim=1).all(), "a window is not in the split"
    positions = found.double().argmax(dim=1)
    assert torch.equal(labels[labels != UNLABELLED], windows.labels(positions))


def test_the_first_utterances_have_chunks_of_their_own(tmp_path):
    split = open_train(tmp_path)
    chunks = FrameChunks(split, 3, 20, 1, CPU)
    everything = len(split.lengths)
    assert chunks.count_rows(everything) == chunks.count_rows(None) == chunks.num_rows
    assert chunks.count_items(everything) == chunks.num_items
    rows = int(split.lengths[:2].sum()) + split.gap
    assert chunks.count_rows(2) == rows
    assert chunks.count_items(2) == len(ChunkSampler(0, 1, rows, 20))
    assert FrameChunks(split, 3, 10**6, 1, CPU).count_rows(1) == chunks.num_rows


def test_chunk_is_not_longer_than_the_split(tmp_path):
    split = open_train(tmp_path)
    chunks = FrameChunks(split, 3, 10_000, 1, CPU)
    assert chunks.chunk_frames == chunks.num_rows == split.num_frames + 4 * split.gap
    _, labels = chunks.batch(torch.zeros(1, dtype=torch.int64))
    assert (labels != UNLABELLED).sum() == split.num_frames


def test_tempo_changes_the_distance_of_frames_and_keeps_their_labels(tmp_path):
    split = open_train(tmp_path)
    plain, moved = (
        FrameChunks(split, 5, 40, 1, CPU),
        FrameChunks(split, 5, 40, 1, CPU, tempo=0.5),
    )
    starts = torch.zeros(200, dtype=torch.int64)
    torch.manual_seed(0)
    inputs, labels = moved.batch(starts)
    frames = inputs.view(200, 50, -1)
    middle = plain.batch(starts)[0].view(200, 50, -1)[:, 25]
    assert torch.equal(frames[:, 25], middle)
    rows = torch.from_numpy(split.rows)[split.lead - 30 : split.lead + 60]
    positions = (frames.unsqueeze(2) == rows).all(dim=3).double().argmax(dim=2)
    inside = positions[:, 20:31] - 30  # far from padding, where rows are alike
    steps = (inside[:, -1] - inside[:, 0]).double()
    assert steps.min() < 7
    assert steps.max() > 13
    own = inside[:, :10].clamp(0)
    given = labels.view(200, 40)[:, 15:25]
    assert torch.equal(given, torch.from_numpy(split.labels).long()[own])


@pytest.mark.parametrize("context", [0, 10, 25, 30, MAX_CONTEXT])
def test_fast_tempo_keeps_windows_in_their_utterance(context):
    lengths, gap = np.array([30, 45, 20, 60]), MAX_CONTEXT
    utterances = np.repeat(np.arange(4), lengths)
    rows = np.zeros((sum(lengths) + 3 * gap + 2 * gap, 1), dtype=np.float32)
    rows[gap + np.arange(sum(lengths)) + gap * utterances, 0] = utterances + 1
    split = Split("train", rows, utterances.astype(np.int16), lengths, ("",) * 4, gap, gap)
    chunks = FrameChunks(split, context, 20, 1, CPU, tempo=0.9)
    torch.manual_seed(0)
    starts = torch.arange(chunks.num_rows - 20).repeat(10)
    inputs, labels = chunks.batch(starts)
    windows = inputs.unfold(1, 2 * context + 1, 1).flatten(0, 1)
    own = (labels + 1).unsqueeze(1)
    inside = (windows == 0) | (windows == own)
    assert inside[labels != UNLABELLED].all()
    assert (windows[:, context] == (labels + 1)).all()


def test_stride_selects_the_labels_that_are_trained_on(tmp_path):
    split = open_train(tmp_path)
    starts = torch.tensor([0, 5])
    every, some = (FrameChunks(split, 3, 30, stride, CPU).batch(starts) for stride in (1, 4))
    assert torch.equal(every[0], some[0])
    assert torch.equal(every[1].view(2, 30)[:, ::4].flatten(), some[1])
    assert FrameChunks(split, 3, 30, 4, CPU).item_frames == 8
