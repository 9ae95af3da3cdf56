"""The order in which an epoch visits chunks of utterances."""

import torch
from torch import Tensor

from framesweep.data.utterance_chunks import LONGEST, PHASES, SEEN, UtteranceChunks
from framesweep.training.samplers import ShuffleSampler, mix_seed, seeded_generator

SORTED_BATCHES = 8
"""Batches whose chunks are sorted by length together."""


class SequenceSampler:
    """Visits the chunks of utterances once, each in a batch with others of similar lengths.

    The chunks of SORTED_BATCHES batches are drawn at random, sorted by length and divided into
    batches, which come in random order. A batch is padded to its longest chunk, so that this
    saves most of the padding. Each epoch cuts the utterances at other places.

    Args:
        seed: The run's seed.
        epoch: The epoch, which has an order of its own.
        train: The chunks.
        num_utterances: How many of the first utterances are visited; None for all.
    """

    def __init__(
        self,
        seed: int,
        epoch: int,
        train: UtteranceChunks,
        num_utterances: int | None = None,
    ) -> None:
        self._seed = mix_seed(seed, epoch)
        generator = seeded_generator(self._seed, train.num_items)
        phase = int(torch.randint(PHASES, (), generator=generator))
        self._items = train.items(phase, num_utterances)
        self._order = ShuffleSampler(seed, epoch, len(self._items))

    def __len__(self) -> int:
        return len(self._items)

    def indices(self, first: int, count: int) -> Tensor:
        """Return the (count, 5) items of the batch at positions from `first`, on the CPU.

        All batches of an epoch but for the last have `count` items, and `first` is a multiple
        of it.
        """
        block = first // count // SORTED_BATCHES * SORTED_BATCHES * count
        drawn = self._items[self._order.indices(block, SORTED_BATCHES * count)]
        batches = torch.split(drawn[drawn[:, SEEN].argsort(stable=True)], count)
        generator = seeded_generator(self._seed, block)
        # The last batch of an epoch may have fewer items, and remains the last.
        num_full = sum(len(b) == count for b in batches)
        order = [*torch.randperm(num_full, generator=generator).tolist(), num_full]
        batch: Tensor = batches[order[(first - block) // count]].clone()
        batch[:, LONGEST] = batch[:, SEEN].max()
        return batch
