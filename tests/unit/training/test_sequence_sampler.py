"""Each epoch visits all chunks of utterances, in batches of similar lengths."""

import pytest
import torch

from framesweep.config import DataConfig
from framesweep.data.store.frame_store import open_store
from framesweep.data.utterance_chunks import LONGEST, SEEN, UtteranceChunks
from framesweep.training.sequence_sampler import SequenceSampler
from toy import ToyCorpus

LENGTHS = {"train": tuple(range(5, 90)), "dev": (30,)}


@pytest.fixture(scope="module")
def chunks(tmp_path_factory):
    folder = tmp_path_factory.mktemp("store")
    split = open_store(DataConfig(), ToyCorpus(LENGTHS), folder).splits["train"]
    return UtteranceChunks(split, 3, 40, torch.device("cpu"))


def batches(sampler, count):
    return [sampler.indices(first, count) for first in range(0, len(sampler), count)]


@pytest.mark.parametrize("count", [1, 4, 7, 500])
def test_every_frame_is_classified_once(chunks, count):
    found = batches(SequenceSampler(0, 1, chunks), count)
    assert [len(items) for items in found[:-1]] == [count] * (len(found) - 1)
    items = torch.cat(found)
    assert len(items) == chunks.num_items
    firsts = torch.repeat_interleave(items[:, 0] + items[:, 2], items[:, 3])
    _, counts = torch.unique(firsts, return_counts=True)
    assert items[:, 3].sum() == chunks.num_frames
    assert len(counts) == len(items)


def test_a_batch_is_as_long_as_its_longest_chunk_and_not_much_longer_than_the_others(chunks):
    found = batches(SequenceSampler(0, 1, chunks), 4)
    for items in found:
        assert (items[:, LONGEST] == items[:, SEEN].max()).all()
    items = torch.cat(found)
    padded = items[:, LONGEST].sum() / items[:, SEEN].sum()
    unsorted = items[:, SEEN][torch.randperm(len(items))][: len(items) // 4 * 4].view(-1, 4)
    assert padded < 1.15 < unsorted.max(dim=1).values.sum() * 4 / unsorted.sum()


def test_an_epoch_can_visit_the_first_utterances_only(chunks):
    items = torch.cat(batches(SequenceSampler(0, 1, chunks, 50), 4))
    assert len(items) == chunks.count_items(50) < chunks.count_items(None) == chunks.num_items
    assert items[:, 3].sum() == sum(LENGTHS["train"][:50])


def test_any_batch_can_be_read_alone_after_a_resume(chunks):
    whole = batches(SequenceSampler(3, 2, chunks), 4)
    for position in (17, 2, 30):
        alone = SequenceSampler(3, 2, chunks).indices(4 * position, 4)
        assert torch.equal(alone, whole[position])


def test_epochs_and_seeds_have_orders_and_cuts_of_their_own(chunks):
    orders = [
        torch.cat(batches(SequenceSampler(seed, epoch, chunks), 4))
        for seed, epoch in ((0, 1), (0, 2), (1, 1))
    ]
    assert not torch.equal(orders[0], orders[1])
    assert not torch.equal(orders[0], orders[2])
    cuts = {tuple(sorted(order[:, 0].tolist())) for order in orders}
    assert len(cuts) > 1
