"""Part of the training utterances, for trials that shall cost less.

The utterances are put into an order that depends on the seed only, and a share is a prefix of
it: the utterances of a smaller share are also in each larger one. In any prefix every speaker
has about the same share of their utterances. A share is taken when a run begins, so that all
shares have one store.
"""

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from framesweep.config import DataConfig
from framesweep.data.store.frame_store import FrameStore, Split


def list_epoch_utterances(
    share: float, growth: float, epochs: int, num_utterances: int
) -> tuple[int, ...]:
    """Return the number of utterances of each epoch up to the first with the most of them.

    Args:
        share: The share of the utterances in the first epoch.
        growth: What is added to the share after each epoch, until it is 1.
        epochs: The number of epochs.
        num_utterances: The number of utterances of the train split.
    """
    counts = []
    for epoch in range(epochs):
        # Rounded, because 0.1 + 0.1 + 0.1 is a little more than 0.3.
        reached = min(1.0, round(share + growth * epoch, 9))
        counts.append(max(1, round(reached * num_utterances)))
        if reached == 1.0 or not growth:
            break
    return tuple(counts)


def take_train_share(
    store: FrameStore, config: DataConfig, epochs: int, seed: int
) -> tuple[FrameStore, tuple[int, ...]]:
    """Return the store with only the utterances in train that a run trains on.

    Returns:
        The store, and how many of its training utterances each epoch visits, as in
        `Plan.utterances`; empty for all.
    """
    if config.share == 1.0:
        return store, ()
    train = store.splits["train"]
    counts = list_epoch_utterances(config.share, config.share_growth, epochs, len(train.ids))
    order = rank_utterances(train.ids, train.speakers, seed)[: counts[-1]]
    selected = select_utterances(train, order)
    return replace(store, splits={**store.splits, "train": selected}), counts


def rank_utterances(
    ids: Sequence[str], speakers: Sequence[str], seed: int
) -> npt.NDArray[np.int64]:
    """Return the (U,) numbers of all utterances in the order of a seed.

    A speaker's utterances are shuffled and divide the interval from 0 to 1 evenly, from a start
    that is drawn for the speaker; the utterances of all speakers are sorted by their places.

    Args:
        ids: The id of each utterance, unique within the split.
        speakers: The speaker of each utterance, "" where unknown; empty if none is known.
        seed: The seed of the run.
    """
    members: dict[str, list[int]] = defaultdict(list)
    for number, speaker in enumerate(speakers or [""] * len(ids)):
        members[speaker].append(number)
    places = np.empty(len(ids))
    for speaker, numbers in members.items():
        numbers.sort(key=lambda number: _draw(seed, "utterance", ids[number]))
        start = _draw(seed, "speaker", speaker)
        places[numbers] = (np.arange(len(numbers)) + start) / len(numbers)
    return np.argsort(places, kind="stable")


def _draw(seed: int, kind: str, name: str) -> float:
    """Return a number from 0 to 1 that is the same in every version of every library."""
    digest = hashlib.blake2b(f"{seed}/{kind}/{name}".encode(), digest_size=8).digest()
    return int.from_bytes(digest) / 2**64


def select_utterances(split: Split, order: npt.NDArray[np.int64]) -> Split:
    """Return a split with the given utterances in the given order, copied into memory.

    Args:
        split: The split that has them.
        order: (V,) numbers of utterances.
    """
    ends = np.cumsum(split.lengths)
    starts = ends - split.lengths
    # Between utterances there is padding for the end of the first, for the beginning of the
    # second, or for both (see `frame_store.GAPS`). Each utterance takes its own along.
    before, after = max(0, split.gap - split.lead), min(split.gap, split.lead)
    parts = [] if before else [split.rows[: split.lead]]
    for number in order.tolist():
        row = split.lead + starts[number] + split.gap * number
        parts.append(split.rows[row - before : row + split.lengths[number] + after])
    if not after:
        parts.append(split.rows[len(split.rows) - split.lead :])
    frames = [np.arange(starts[number], ends[number]) for number in order.tolist()]
    return replace(
        split,
        rows=np.concatenate(parts),
        labels=None if split.labels is None else split.labels[np.concatenate(frames)],
        lengths=split.lengths[order],
        ids=tuple(split.ids[number] for number in order.tolist()),
        speakers=tuple(split.speakers[number] for number in order.tolist())
        if split.speakers
        else (),
    )
