"""Chunks of utterances: each frame once, its label, its neighbors, and nothing of others."""

import numpy as np
import pytest
import torch

from framesweep.config import DataConfig
from framesweep.data.chunks import UNLABELLED
from framesweep.data.store.frame_store import open_store
from framesweep.data.utterance_chunks import (
    LONGEST,
    PHASES,
    SEEN,
    UtteranceChunks,
    cut_utterances,
)
from framesweep.distributed.collectives import Shard
from toy import ToyCorpus

CPU = torch.device("cpu")
LENGTHS = {"train": (40, 3, 25, 60, 33), "dev": (30,)}


def open_train(tmp_path, **keys):
    return open_store(DataConfig(**keys), ToyCorpus(LENGTHS), tmp_path).splits["train"]


def whole_batch(chunks, phase=0):
    items = chunks.items(phase)
    items[:, LONGEST] = items[:, SEEN].max()
    return items


@pytest.mark.parametrize("phase", [0, 1, PHASES - 1])
@pytest.mark.parametrize("chunk_frames", [1, 2, 7, 33, 100])
def test_cuts_cover_each_frame_once_and_see_its_neighbors(chunk_frames, phase):
    lengths = np.array([40, 1, 3, 25, 60, 33])
    cuts = cut_utterances(lengths, chunk_frames, 4, phase)
    assert cuts.starts[0] == 0
    assert cuts.stops[-1] == lengths.sum()
    assert np.array_equal(cuts.starts[1:], cuts.stops[:-1])
    assert (cuts.stops > cuts.starts).all()
    assert (cuts.stops - cuts.starts).max() <= 1.5 * chunk_frames + 1
    ends = np.cumsum(lengths)
    assert np.array_equal(cuts.utterances, np.searchsorted(ends, cuts.stops - 1, side="right"))
    begins, ends = (ends - lengths)[cuts.utterances], ends[cuts.utterances]
    assert np.array_equal(cuts.firsts, np.maximum(cuts.starts - 4, begins))
    assert np.array_equal(cuts.ends, np.minimum(cuts.stops + 4, ends))


def test_without_a_phase_no_chunk_is_longer_than_allowed():
    cuts = cut_utterances(np.arange(1, 200), 50, 0)
    assert (cuts.stops - cuts.starts).max() == 50
    assert len(cut_utterances(np.array([70, 51, 50]), 50, 0).starts) == 5


@pytest.mark.parametrize("padding", ["zero", "replicate", "cross"])
@pytest.mark.parametrize(("context", "chunk_frames"), [(0, 1), (7, 16), (50, 1000)])
def test_a_batch_holds_the_frames_and_labels_of_its_chunks(
    tmp_path, padding, context, chunk_frames
):
    split = open_train(tmp_path, padding=padding)
    chunks = UtteranceChunks(split, context, chunk_frames, CPU)
    inputs, labels, lengths = chunks.batch(whole_batch(chunks, phase=5))
    assert len(inputs) == len(lengths) == chunks.num_items
    frames = inputs.view(len(inputs), -1, chunks.feature_dim)
    labels = labels.view(len(inputs), -1)
    cuts = cut_utterances(split.lengths, chunk_frames, context, phase=5)
    rows = torch.from_numpy(split.rows[split.lead :].copy())
    gaps = split.gap * cuts.utterances
    for i in range(len(inputs)):
        first, end = cuts.firsts[i], cuts.ends[i]
        assert lengths[i] == end - first
        assert torch.equal(frames[i, : lengths[i]], rows[first + gaps[i] : end + gaps[i]])
        assert not frames[i, lengths[i] :].any()
        own = slice(cuts.starts[i] - first, cuts.stops[i] - first)
        expected = torch.full_like(labels[i], UNLABELLED)
        expected[own] = torch.from_numpy(split.labels[cuts.starts[i] : cuts.stops[i]]).long()
        assert torch.equal(labels[i], expected)
    assert (labels != UNLABELLED).sum() == split.num_frames


def test_the_tempo_changes_the_length_of_a_chunk_and_keeps_its_labels(tmp_path):
    split = open_train(tmp_path)
    chunks = UtteranceChunks(split, 5, 40, CPU, tempo=0.5)
    items = whole_batch(chunks)[:1].repeat(200, 1)
    seen = int(items[0, SEEN])
    torch.manual_seed(0)
    inputs, labels, lengths = chunks.batch(items)
    assert lengths.min() < 0.75 * seen < 1.6 * seen < lengths.max() <= 2 * seen
    frames = inputs.view(200, -1, chunks.feature_dim)
    rows = torch.from_numpy(split.rows[split.lead : split.lead + seen].copy())
    for row in range(0, 200, 40):
        read = frames[row, : lengths[row]]
        sources = (read.unsqueeze(1) == rows).all(dim=2).double().argmax(dim=1)
        assert (sources.diff() >= 0).all()
        assert sources[0] == 0
        assert sources[-1] >= seen - 3
        expected = torch.from_numpy(split.labels.copy()).long()[sources]
        found = labels.view(200, -1)[row, : lengths[row]]
        own = found != UNLABELLED
        assert own.sum() > 0.5 * lengths[row]
        assert torch.equal(found[own], expected[own])


def test_shards_hold_the_chunks_of_a_whole_batch(tmp_path):
    chunks = UtteranceChunks(open_train(tmp_path), 5, 16, CPU, tempo=0.3)
    items = whole_batch(chunks)
    torch.manual_seed(0)
    expected = chunks.batch(items)
    per_item = len(expected[1]) // len(items)
    shard = Shard(2, 5, len(items))
    torch.manual_seed(0)
    inputs, labels, lengths = chunks.batch(shard.select(items), shard)
    assert torch.equal(inputs, shard.select(expected[0]))
    assert torch.equal(labels, shard.expand(per_item).select(expected[1]))
    assert torch.equal(lengths, shard.select(expected[2]))


def test_an_item_counts_as_many_frames_as_chunks_have_on_average(tmp_path):
    chunks = UtteranceChunks(open_train(tmp_path), 5, 30, CPU)
    assert chunks.num_items == 2 + 1 + 1 + 2 + 2
    assert chunks.item_frames == round(161 / 8)
    assert chunks.item_dim == (20 + 2 * 5) * 6
