"""Shares of the training utterances: nested, stratified, and windowed like the whole split."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from framesweep.config import DataConfig
from framesweep.data.store.frame_store import open_store
from framesweep.data.train_share import (
    list_epoch_utterances,
    rank_utterances,
    select_utterances,
    take_train_share,
)
from framesweep.data.windows import Windows
from toy import ToyCorpus

CPU = torch.device("cpu")
IDS = [f"u{number}" for number in range(300)]
ORDER_OF_EIGHT = [2, 4, 6, 0, 3, 1, 7, 5]


def test_a_share_may_grow_from_epoch_to_epoch():
    assert list_epoch_utterances(0.1, 0.0, 9, 50) == (5,)
    assert list_epoch_utterances(0.1, 0.1, 3, 50) == (5, 10, 15)
    assert list_epoch_utterances(0.4, 0.3, 100, 10) == (4, 7, 10)
    assert list_epoch_utterances(1e-6, 0.0, 1, 50) == (1,)


def test_the_order_depends_on_the_seed_only():
    order = rank_utterances(IDS, (), 3)
    assert sorted(order) == list(range(300))
    assert [IDS[n] for n in order] == [IDS[::-1][n] for n in rank_utterances(IDS[::-1], (), 3)]
    assert list(order) != list(rank_utterances(IDS, (), 4))
    # Computed once, and the same ever since: a run must be resumed with its utterances.
    assert list(rank_utterances(IDS[:8], (), 0)) == ORDER_OF_EIGHT


@pytest.mark.parametrize("share", [0.1, 0.3, 0.5, 0.9])
def test_every_speaker_has_about_the_same_share(share):
    sizes = {"a": 200, "b": 60, "c": 30, "d": 10}
    speakers = [name for name, size in sizes.items() for _ in range(size)]
    chosen = rank_utterances(IDS, speakers, 0)[: round(share * 300)]
    for name, size in sizes.items():
        count = sum(speakers[number] == name for number in chosen)
        assert abs(count - share * size) <= 2


@pytest.mark.parametrize("padding", ["zero", "replicate", "cross"])
def test_a_selection_has_the_windows_of_a_corpus_of_these_utterances(tmp_path, padding):
    lengths = (40, 25, 60, 33)
    config = DataConfig(context=7, padding=padding, normalize="none")
    corpus = ToyCorpus({"train": lengths, "dev": (9,)})
    split = open_store(config, corpus, tmp_path).splits["train"]
    order = np.array([2, 0, 3])
    selected = select_utterances(split, order)
    assert (selected.ids, selected.speakers) == (
        ("train2", "train0", "train3"),
        ("someone",) * 3,
    )
    ends = np.cumsum(lengths)
    frames = np.concatenate([np.arange(ends[n] - lengths[n], ends[n]) for n in order])
    assert (selected.labels == split.labels[frames]).all()
    assert selected.num_frames == 133
    own, whole = Windows(selected, 7, CPU), Windows(split, 7, CPU)
    assert len(selected.rows) == 2 * selected.lead + 133 + 2 * selected.gap
    every = torch.arange(133)
    windows = own.gather(every).clone()
    expected = whole.gather(torch.from_numpy(frames)).clone()
    if padding == "cross":  # other neighbors, so that only the inside of utterances is the same
        inside = ~own.edges(every)
        windows, expected = windows[inside], expected[inside]
    assert torch.equal(windows, expected)
    same = select_utterances(split, np.arange(4))
    assert np.array_equal(same.rows, split.rows)


def test_a_store_keeps_its_other_splits(tmp_path):
    config = DataConfig(context=2, normalize="none")
    store = open_store(config, ToyCorpus(), tmp_path)
    shares = (replace(config, share=share) for share in (0.25, 0.75))
    (less, one), (more, three) = (take_train_share(store, share, 5, 0) for share in shares)
    assert (one, three) == ((1,), (3,))
    assert take_train_share(store, config, 5, 0) == (store, ())
    assert less.splits["dev"] is store.splits["dev"]
    assert more.splits["train"].ids[:1] == less.splits["train"].ids
    without = replace(store.splits["train"], labels=None, speakers=())
    assert select_utterances(without, np.array([1])).speakers == ()
