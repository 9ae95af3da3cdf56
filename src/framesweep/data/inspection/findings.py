"""What a prepared corpus holds, and what looks wrong with it."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from framesweep.data.corpus import Array
from framesweep.data.phones import PhoneSet
from framesweep.data.store.normalization import SMALLEST_STD
from framesweep.data.store.prepared import PreparedCorpus, SplitArrays

CHUNK_FRAMES = 65_536
FEW_FRAMES = 10
"""Utterances with fewer frames than this are told."""
MOST_SILENCE = 0.6
"""A larger share of silence than this is told."""
DRIFT = 1.0
"""Standard deviations of train by which another split's mean may lie off before it is told."""
NAMED = 5
"""Examples that a line names."""


@dataclass(frozen=True, slots=True)
class SplitSummary:
    """Figures of one split.

    Attributes:
        num_speakers: None where the corpus does not tell speakers.
        lengths: (U,) frames of each utterance.
        counts: (C,) frames of each phone, or None without labels.
        mean, std, lowest, highest: (D,) of each feature over all frames.
    """

    name: str
    num_speakers: int | None
    lengths: Array
    counts: Array | None
    mean: Array
    std: Array
    lowest: Array
    highest: Array

    @property
    def num_frames(self) -> int:
        return int(self.lengths.sum())

    def silence_share(self, phones: PhoneSet) -> float | None:
        """Share of frames whose phone is silence; None without labels, or a known silence."""
        if self.counts is None or not phones.silence_ids:
            return None
        return float(self.counts[list(phones.silence_ids)].sum() / self.num_frames)


def summarize(split: SplitArrays, num_classes: int) -> SplitSummary:
    """Reads a split once, in chunks."""
    count, dim = len(split.features), split.features.shape[1]
    total, squares = np.zeros(dim), np.zeros(dim)
    lowest, highest = np.full(dim, np.inf), np.full(dim, -np.inf)
    offset = np.asarray(split.features[:CHUNK_FRAMES].mean(axis=0), dtype=np.float64)
    for start in range(0, count, CHUNK_FRAMES):
        chunk = split.features[start : start + CHUNK_FRAMES]
        total += (chunk - offset).sum(axis=0)
        squares += ((chunk - offset) ** 2).sum(axis=0)
        lowest = np.minimum(lowest, chunk.min(axis=0))
        highest = np.maximum(highest, chunk.max(axis=0))
    mean = total / count
    counts = None if split.labels is None else np.bincount(split.labels, minlength=num_classes)
    known = [speaker for speaker in split.speakers if speaker]
    return SplitSummary(
        name=split.name,
        num_speakers=len(set(known)) if known else None,
        lengths=split.lengths,
        counts=counts,
        mean=mean + offset,
        std=np.sqrt(np.maximum(squares / count - mean**2, 0)),
        lowest=lowest,
        highest=highest,
    )


def findings(corpus: PreparedCorpus, summaries: list[SplitSummary]) -> list[str]:
    """What looks wrong, one line each; what would break training was refused before."""
    return [
        *_in_features(summaries),
        *_in_labels(corpus.phones, summaries),
        *_in_utterances(corpus),
        *_shared(corpus),
    ]


def _in_features(summaries: list[SplitSummary]) -> Iterator[str]:
    train = summaries[0]
    for summary in summaries:
        constant = np.flatnonzero(summary.std <= SMALLEST_STD)
        if len(constant):
            yield f"{summary.name}: features that never change: {_some(constant)}"
        off = np.abs(summary.mean - train.mean) > DRIFT * np.maximum(train.std, SMALLEST_STD)
        if off.any():
            bins = _some(np.flatnonzero(off))
            yield f"{summary.name}: features whose mean is far from that of train: {bins}"


def _in_labels(phones: PhoneSet, summaries: list[SplitSummary]) -> Iterator[str]:
    train = summaries[0]
    for summary in summaries:
        share = summary.silence_share(phones)
        if share is not None and share > MOST_SILENCE:
            yield f"{summary.name}: {share:.0%} of the frames are silence"
        if summary.counts is None or train.counts is None:
            continue
        if summary is train:
            absent = np.flatnonzero(train.counts == 0)
            if len(absent):
                names = _some(phones.names[i] for i in absent)
                yield f"train: phones that never occur: {names}"
        else:
            unseen = np.flatnonzero((summary.counts > 0) & (train.counts == 0))
            if len(unseen):
                names = _some(phones.names[i] for i in unseen)
                yield f"{summary.name}: phones that train does not have: {names}"


def _in_utterances(corpus: PreparedCorpus) -> Iterator[str]:
    for name, split in corpus.splits.items():
        short = [split.ids[i] for i in np.flatnonzero(split.lengths < FEW_FRAMES)]
        if short:
            yield f"{name}: utterances of fewer than {FEW_FRAMES} frames: {_some(short)}"
        if split.labels is None:
            continue
        starts = split.starts
        lasting = np.maximum.reduceat(split.labels, starts) == np.minimum.reduceat(
            split.labels, starts
        )
        alike = [split.ids[i] for i in np.flatnonzero(lasting & (split.lengths >= FEW_FRAMES))]
        if alike:
            yield f"{name}: utterances with one label throughout: {_some(alike)}"


def _shared(corpus: PreparedCorpus) -> Iterator[str]:
    """Speakers, and recordings that are the same to the bit, in more than one split."""
    speakers: dict[str, str] = {}
    recordings: dict[bytes, str] = {}
    for name, split in corpus.splits.items():
        known = {speaker for speaker in split.speakers if speaker}
        if both := sorted(known & speakers.keys()):
            yield f"{name}: speakers that are also in {speakers[both[0]]}: {_some(both)}"
        speakers |= dict.fromkeys(known - speakers.keys(), name)
        digests = [
            hashlib.blake2b(features.tobytes(), digest_size=16).digest()
            for features in split.utterances()
        ]
        repeated = Counter(digests)
        if twice := [i for i, d in enumerate(digests) if d in recordings or repeated[d] > 1]:
            ids = _some(split.ids[i] for i in twice)
            yield f"{name}: utterances that occur more than once in the corpus: {ids}"
        recordings |= dict.fromkeys(digests, name)


def _some(things: Iterable[object]) -> str:
    names = [str(thing) for thing in things]
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more
