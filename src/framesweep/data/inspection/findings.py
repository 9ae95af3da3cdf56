"""Computes statistics of a prepared corpus and looks for likely problems in it."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from framesweep.data.corpus import Array
from framesweep.data.phones import NOTHING_TO_LEARN, PhoneSet
from framesweep.data.store.normalization import SMALLEST_STD
from framesweep.data.store.prepared import PreparedCorpus, SplitArrays

CHUNK_FRAMES = 65_536
"""Frames of a memory-mapped split that are processed at a time: some 20 MB in float64."""
FEW_FRAMES = 10
"""Utterances with fewer frames than this are reported."""
MOST_SILENCE = 0.6
"""A larger share of silence than this is reported."""
DRIFT = 1.0
"""Standard deviations of train by which the mean of another split may differ from its mean."""
MAX_EXAMPLES = 5
"""Largest number of examples in a line."""


@dataclass(frozen=True, slots=True)
class SplitSummary:
    """Statistics of one split.

    Attributes:
        name: train, dev or test.
        num_speakers: None if the corpus does not name speakers.
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
        """Frames of all utterances."""
        return int(self.lengths.sum())

    def silence_share(self, phones: PhoneSet) -> float | None:
        """Return the share of frames that are silence; None without labels or silences."""
        if self.counts is None or not phones.silence_ids:
            return None
        return float(self.counts[list(phones.silence_ids)].sum() / self.num_frames)


def summarize(split: SplitArrays, num_classes: int) -> SplitSummary:
    """Return the statistics of a split, which is read once, in chunks.

    Args:
        split: memory-mapped; it may be larger than the memory.
        num_classes: C, the number of phones.
    """
    count, dim = len(split.features), split.features.shape[1]
    total, squares = np.zeros(dim), np.zeros(dim)
    lowest, highest = np.full(dim, np.inf), np.full(dim, -np.inf)
    # In one pass the variance is mean(x**2) - mean(x)**2, a difference of large numbers unless
    # the mean is near zero. Subtract a constant that is close to it (shifted data; see the
    # reference in framesweep.data.store.normalization).
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


def find_problems(corpus: PreparedCorpus, summaries: list[SplitSummary]) -> list[str]:
    """Describe each likely problem in one line.

    These are only suspicious. What would break training was refused during preparation.

    Args:
        corpus: the corpus.
        summaries: of its splits, train first.
    """
    return [
        *_check_features(summaries),
        *_check_labels(corpus.phones, summaries),
        *_check_utterances(corpus),
        *_check_overlap(corpus),
    ]


def format_share(share: float) -> str:
    """Return a share as a percentage, which is 100.0% only of all and 0.0% only of none."""
    if 0 < share < 0.0005:
        return "<0.1%"
    return ">99.9%" if 0.9995 <= share < 1 else f"{share:.1%}"


def _check_features(summaries: list[SplitSummary]) -> Iterator[str]:
    train = summaries[0]
    for summary in summaries:
        constant = np.flatnonzero(summary.std <= SMALLEST_STD)
        if len(constant):
            yield f"{summary.name}: features that are constant: {_examples(constant)}"
        shifted = np.abs(summary.mean - train.mean) > DRIFT * np.maximum(
            train.std, SMALLEST_STD
        )
        if shifted.any():
            bins = _examples(np.flatnonzero(shifted))
            yield f"{summary.name}: features whose mean differs much from train: {bins}"


def _check_labels(phones: PhoneSet, summaries: list[SplitSummary]) -> Iterator[str]:
    train = summaries[0]
    for summary in summaries:
        share = summary.silence_share(phones)
        if share is not None and share > MOST_SILENCE:
            yield f"{summary.name}: {format_share(share)} of the frames are silence"
        if summary.counts is None or train.counts is None:
            continue
        if summary is train:
            if np.count_nonzero(train.counts) == 1:
                yield f"train: {NOTHING_TO_LEARN}"
            if variants := _find_case_variants(phones, train.counts):
                yield f"train: phones that differ only in upper and lower case: {variants}"
            absent = np.flatnonzero(train.counts == 0)
            if len(absent):
                names = _examples(phones.names[i] for i in absent)
                yield f"train: phones that never occur: {names}"
        else:
            unseen = np.flatnonzero((summary.counts > 0) & (train.counts == 0))
            if len(unseen):
                names = _examples(phones.names[i] for i in unseen)
                yield f"{summary.name}: phones that do not occur in train: {names}"


def _find_case_variants(phones: PhoneSet, counts: Array) -> str:
    """Return pairs of names that occur, such as AA and aa; "" if there are none.

    Names of one letter, and of upper and lower case letters, are left out: SAMPA distinguishes
    s and S, ts and tS.
    """
    names = {name for name, count in zip(phones.names, counts, strict=True) if count}
    upper = sorted(name for name in names if name.isupper() and name.lower() in names)
    pairs = [f"{name} and {name.lower()}" for name in upper if sum(map(str.isalpha, name)) > 1]
    return _examples(pairs) if pairs else ""


def _check_utterances(corpus: PreparedCorpus) -> Iterator[str]:
    for name, split in corpus.splits.items():
        short = [split.ids[i] for i in np.flatnonzero(split.lengths < FEW_FRAMES)]
        if short:
            yield f"{name}: utterances with fewer than {FEW_FRAMES} frames: {_examples(short)}"
        # Digital silence, or a recording that failed. One frame is always like itself.
        if unchanging := [
            split.ids[i]
            for i, features in enumerate(split.utterances())
            # The second frame first: it differs in nearly all utterances.
            if len(features) > 1
            and (features[1] == features[0]).all()
            and (features == features[0]).all()
        ]:
            ids = _examples(unchanging)
            yield f"{name}: utterances with the same features in all frames: {ids}"
        if split.labels is None:
            continue
        starts = split.starts
        # reduceat takes the extremes of each utterance, from its start to the next one.
        constant = np.maximum.reduceat(split.labels, starts) == np.minimum.reduceat(
            split.labels, starts
        )
        suspects = np.flatnonzero(constant & (split.lengths >= FEW_FRAMES))
        if len(suspects):
            ids = _examples(split.ids[i] for i in suspects)
            yield f"{name}: utterances with the same label in all frames: {ids}"


def _check_overlap(corpus: PreparedCorpus) -> Iterator[str]:
    """Find speakers in more than one split, and recordings that occur more than once."""
    speakers: dict[str, str] = {}
    recordings: dict[bytes, str] = {}
    for name, split in corpus.splits.items():
        known = {speaker for speaker in split.speakers if speaker}
        if shared := sorted(known & speakers.keys()):
            other = speakers[shared[0]]
            yield f"{name}: speakers that are also in {other}: {_examples(shared)}"
        speakers |= dict.fromkeys(known - speakers.keys(), name)
        # Recordings that are equal bit by bit; 16 bytes of each are kept instead of all.
        digests = [
            hashlib.blake2b(features.tobytes(), digest_size=16).digest()
            for features in split.utterances()
        ]
        repeated = Counter(digests)
        if duplicates := [
            i for i, d in enumerate(digests) if d in recordings or repeated[d] > 1
        ]:
            ids = _examples(split.ids[i] for i in duplicates)
            yield f"{name}: utterances that occur more than once in the corpus: {ids}"
        recordings |= dict.fromkeys(digests, name)


def _examples(items: Iterable[object]) -> str:
    names = [str(item) for item in items]
    more = f" and {len(names) - MAX_EXAMPLES} more" if len(names) > MAX_EXAMPLES else ""
    return ", ".join(names[:MAX_EXAMPLES]) + more
