"""Windows equal those that one would write out, in any type, and are fetched in advance."""

import itertools
import mmap

import numpy as np
import pytest
import torch

from framesweep.config import MAX_CONTEXT, DataConfig
from framesweep.data.store.frame_store import open_store
from framesweep.data.windows import Windows
from toy import ToyCorpus

CPU = torch.device("cpu")


def plain_window(corpus, split, utterance, frame, context, padding, normalize):
    """The window, written out frame by frame."""
    utterances = [u.features.astype(np.float64) for u in corpus.utterances(split)]
    train = np.concatenate([u.features.astype(np.float64) for u in corpus.utterances("train")])
    if normalize == "utterance":
        utterances = [(u - u.mean(0)) / u.std(0) for u in utterances]
    elif normalize == "global":
        utterances = [(u - train.mean(0)) / train.std(0) for u in utterances]
    if padding == "cross":
        flat = np.concatenate(utterances)
        center = sum(len(u) for u in utterances[:utterance]) + frame
    else:
        flat, center = utterances[utterance], frame
    window = []
    for position in range(center - context, center + context + 1):
        if 0 <= position < len(flat):
            window.append(flat[position])
        elif padding == "replicate":
            window.append(flat[0] if position < 0 else flat[-1])
        else:
            window.append(np.zeros(flat.shape[1]))
    return np.concatenate(window)


@pytest.mark.parametrize("context", [0, 1, 7, MAX_CONTEXT])
@pytest.mark.parametrize(
    ("padding", "normalize"),
    list(itertools.product(["zero", "replicate", "cross"], ["none", "utterance", "global"])),
)
def test_windows_equal_those_written_out(tmp_path, padding, normalize, context):
    corpus = ToyCorpus({"train": (12, 3, 20), "dev": (9, 2), "test": (5,)})
    config = DataConfig(context=context, padding=padding, normalize=normalize)
    store = open_store(config, corpus, tmp_path)
    for split in corpus.splits():
        windows = Windows(store.splits[split], context, CPU)
        lengths = corpus.lengths[split]
        served = windows.gather(torch.arange(sum(lengths)))
        plain = [
            plain_window(corpus, split, u, t, context, padding, normalize)
            for u, length in enumerate(lengths)
            for t in range(length)
        ]
        np.testing.assert_allclose(served.numpy(), plain, rtol=1e-4, atol=1e-5)


def test_labels_and_edges_belong_to_their_frames(tmp_path):
    corpus = ToyCorpus()
    store = open_store(DataConfig(), corpus, tmp_path)
    windows = Windows(store.splits["train"], 9, CPU)
    labels = np.concatenate([u.labels for u in corpus.utterances("train")])
    frames = torch.randperm(len(labels))
    np.testing.assert_array_equal(windows.labels(frames), labels[frames])
    near = [t < 9 or t >= n - 9 for n in corpus.lengths["train"] for t in range(n)]
    np.testing.assert_array_equal(windows.edges(frames), np.array(near)[frames])


@pytest.mark.parametrize("stored", ["float32", "float16"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("converted_bytes", [0, 1 << 20])
def test_windows_are_converted_to_the_wanted_type(
    tmp_path, monkeypatch, stored, dtype, converted_bytes
):
    monkeypatch.setattr("framesweep.data.windows.GATHER_FRAMES", 4)
    monkeypatch.setattr("framesweep.data.windows.CONVERTED_BYTES", converted_bytes)
    store = open_store(DataConfig(dtype=stored), ToyCorpus(), tmp_path)
    plain = Windows(store.splits["train"], 3, CPU)
    wanted = Windows(store.splits["train"], 3, CPU, dtype)
    for num_frames in (0, 3, 11, 4):
        frames = torch.randperm(plain.num_frames)[:num_frames]
        assert wanted.gather(frames).dtype == dtype
        assert torch.equal(wanted.gather(frames), plain.gather(frames).to(dtype))


def test_batch_is_windows_and_labels(tmp_path):
    windows = Windows(open_store(DataConfig(), ToyCorpus(), tmp_path).splits["dev"], 2, CPU)
    frames = torch.tensor([7, 0, 31])
    features, labels = windows.batch(frames)
    assert features.shape == (3, windows.window_dim) == (3, 5 * 6)
    assert torch.equal(features, windows.gather(frames))
    assert torch.equal(labels, windows.labels(frames))


def test_the_first_utterances_have_so_many_frames(tmp_path):
    split = open_store(DataConfig(), ToyCorpus(), tmp_path).splits["train"]
    windows = Windows(split, 3, CPU)
    counts = [windows.count_items(n + 1) for n in range(len(split.lengths))]
    assert counts == np.cumsum(split.lengths).tolist()
    assert windows.count_items(None) == counts[-1] == windows.num_items


def test_split_without_labels_is_not_labelled(tmp_path):
    class Unlabelled(ToyCorpus):
        def utterances(self, split):
            for u in super().utterances(split):
                yield u if split != "test" else type(u)(u.id, u.features, None)

    splits = open_store(DataConfig(), Unlabelled(), tmp_path).splits
    assert Windows(splits["train"], 2, CPU).labelled
    assert not Windows(splits["test"], 2, CPU).labelled


@pytest.mark.parametrize(("first", "stop"), [(0, 5), (35, 70), (157, 158)])
def test_stretch_contains_every_window_once(tmp_path, first, stop):
    windows = Windows(open_store(DataConfig(), ToyCorpus(), tmp_path).splits["train"], 4, CPU)
    rows, starts = windows.stretch(first, stop)
    flat = rows[0]
    for start, window in zip(starts, windows.gather(torch.arange(first, stop)), strict=True):
        begin = int(start) * windows.feature_dim
        assert torch.equal(flat[begin : begin + windows.window_dim], window)


def test_stretch_is_converted_to_the_wanted_type(tmp_path):
    split = open_store(DataConfig(), ToyCorpus(), tmp_path).splits["train"]
    windows = Windows(split, 4, CPU, torch.bfloat16)
    rows, starts = windows.stretch(38, 70)
    seen = rows.view(-1, windows.feature_dim).unfold(0, 9, 1).transpose(1, 2).flatten(1)
    assert rows.dtype == torch.bfloat16
    assert torch.equal(seen[starts], windows.gather(torch.arange(38, 70)))


def test_fetch_advises_the_rows_of_the_frames(tmp_path, monkeypatch):
    monkeypatch.setattr("framesweep.data.windows.CONVERTED_BYTES", 0)
    split = open_store(DataConfig(), ToyCorpus(), tmp_path).splits["train"]
    windows = Windows(split, 4, CPU)
    advised = []

    class Mapping:
        def madvise(self, *arguments):
            advised.append(arguments)

    monkeypatch.setattr(windows, "_mapping", Mapping())
    windows.fetch(40, 10)
    ((advice, begin, length),) = advised
    assert advice == mmap.MADV_WILLNEED
    assert begin % mmap.PAGESIZE == 0
    # Frame 40 is the first of utterance 1, after the first gap.
    row_bytes = 6 * 4
    first_row, last_row = MAX_CONTEXT + 40 + MAX_CONTEXT, MAX_CONTEXT + 49 + MAX_CONTEXT
    assert begin <= (first_row - 4) * row_bytes
    assert begin + length == (last_row + 4 + 1) * row_bytes


def test_fetch_does_nothing_for_converted_rows(tmp_path):
    windows = Windows(open_store(DataConfig(), ToyCorpus(), tmp_path).splits["train"], 4, CPU)
    assert windows._mapping is None
    windows.fetch(0, 10)
