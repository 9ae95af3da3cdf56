"""Viterbi smoothing of frame posteriors by a chain of phones counted on train.

Frames are classified one by one, but phones last for many frames and follow each other in
habitual ways. The path of phones y that maximises

    sum over t of  log p(y_t | x_t) - prior * log p(y_t) + transition * log p(y_t | y_{t-1})

is found by Viterbi's algorithm (Viterbi, 1967); the first two terms are the scaled likelihood
of hybrid recognisers (Bourlard and Morgan, 1994). With both strengths at 0 it is plain argmax.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from framesweep.data.store.frame_store import FrameStore
from framesweep.errors import DataError

Floats = npt.NDArray[np.floating]
Ints = npt.NDArray[np.integer]

TRANSITIONS = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0)
PRIORS = (0.0, 0.2, 0.4, 0.7, 1.0)
"""Strengths that `tune` tries."""
TUNING_CELLS = 1 << 27
"""Frames times phones squared on which `tune` tries a strength, some 80,000 frames of 40."""
COUNTED_AT_ONCE = 1 << 20
"""Frames whose labels are counted in one go."""
MAX_CLASSES = 512
"""More classes than these are states rather than phones, and their chains too large."""
BATCH_CELLS = 1 << 20
"""Utterances times phones squared that one step of the recursion holds at most."""


@dataclass(frozen=True, slots=True)
class Chain:
    """A Markov chain over C phones.

    Attributes:
        log_prior: (C,) log share of frames.
        log_start: (C,) log probability of an utterance's first frame.
        log_transition: (C, C) log probability of a frame's phone (column) after another (row).
    """

    log_prior: Floats
    log_start: Floats
    log_transition: Floats


@dataclass(frozen=True, slots=True)
class Strength:
    """How much the chain counts: factors of the log transitions and of the log priors."""

    transition: float
    prior: float


@dataclass(frozen=True, slots=True)
class Smoother:
    """A chain and how much it counts: (N, C) log posteriors and (U,) lengths to (N,) ids."""

    chain: Chain
    strength: Strength

    def __call__(self, log_posteriors: Floats, lengths: Ints) -> Ints:
        return smooth(log_posteriors, lengths, self.chain, self.strength)


def tuned_smoother(store: FrameStore, dev_log_posteriors: Floats) -> Smoother:
    """The chain of the store's train split, in the strength that is best on its dev split.

    Raises:
        DataError: the store has too many classes for a chain.
    """
    if len(store.phones) > MAX_CLASSES:
        raise DataError(
            store.name, f"smoothing takes up to {MAX_CLASSES} classes", found=len(store.phones)
        )
    train, dev = store.splits["train"], store.splits["dev"]
    assert train.labels is not None
    assert dev.labels is not None
    chain = count_chain(train.labels, train.lengths, len(store.phones))
    strength, _ = tune(dev_log_posteriors, dev.labels, dev.lengths, chain)
    return Smoother(chain, strength)


def count_chain(labels: Ints, lengths: Ints, num_classes: int) -> Chain:
    """The chain of a labelled split; every event is counted once more than it occurs.

    Args:
        labels: (N,) ids of all frames, utterance after utterance.
        lengths: (U,) frames of each utterance.
        num_classes: C.
    """
    firsts = np.cumsum(lengths) - lengths
    transitions = np.ones((num_classes, num_classes))
    priors = np.ones(num_classes)
    for place in range(0, len(labels), COUNTED_AT_ONCE):
        # One more than are counted: the last one's successor.
        part = np.asarray(labels[place : place + COUNTED_AT_ONCE + 1], dtype=np.int64)
        pairs = part[:-1] * num_classes + part[1:]
        transitions += np.bincount(pairs, minlength=num_classes**2).reshape(transitions.shape)
        priors += np.bincount(part[:COUNTED_AT_ONCE], minlength=num_classes)
    # An utterance's first frame does not follow the last of the one before.
    np.subtract.at(transitions, (labels[firsts[1:] - 1], labels[firsts[1:]]), 1.0)
    starts = np.bincount(labels[firsts], minlength=num_classes) + 1.0
    return Chain(
        log_prior=np.log(priors / priors.sum()).astype(np.float32),
        log_start=np.log(starts / starts.sum()).astype(np.float32),
        log_transition=np.log(transitions / transitions.sum(axis=1, keepdims=True)).astype(
            np.float32
        ),
    )


def smooth(log_posteriors: Floats, lengths: Ints, chain: Chain, strength: Strength) -> Ints:
    """The likeliest path of phones through each utterance.

    Args:
        log_posteriors: (N, C) natural logs, utterance after utterance.
        lengths: (U,) frames of each utterance.
        chain: of the same C phones.
        strength: how much the chain counts.

    Returns:
        (N,) int64 phone ids.
    """
    starts = np.cumsum(lengths) - lengths
    path = np.empty(len(log_posteriors), dtype=np.int64)
    for batch in _batches(np.asarray(lengths), log_posteriors.shape[1]):
        _viterbi(
            log_posteriors, starts[batch], np.asarray(lengths)[batch], chain, strength, path
        )
    return path


def tune(
    log_posteriors: Floats, labels: Ints, lengths: Ints, chain: Chain
) -> tuple[Strength, float]:
    """The strength under which most frames are right, and their share.

    Transitions are tried first, then priors, then transitions again. Large splits are judged by
    whole utterances spread over the split. Ties go to the strength tried first, so that a chain
    which does not help is left out.
    """
    scores, truth, chosen = _spread(log_posteriors, labels, lengths)
    best, best_accuracy = Strength(0.0, 0.0), -1.0
    for name, values in (
        ("transition", TRANSITIONS),
        ("prior", PRIORS[1:]),
        ("transition", TRANSITIONS),
    ):
        for strength in [replace(best, **{name: value}) for value in values]:
            accuracy = float((smooth(scores, chosen, chain, strength) == truth).mean())
            if accuracy > best_accuracy:
                best, best_accuracy = strength, accuracy
        if best.transition == 0:
            break
    return best, best_accuracy


def _spread(log_posteriors: Floats, labels: Ints, lengths: Ints) -> tuple[Floats, Ints, Ints]:
    cells = len(labels) * log_posteriors.shape[1] ** 2
    every = -(-cells // TUNING_CELLS)
    kept = np.zeros(len(lengths), dtype=bool)
    kept[::every] = True
    frames = np.repeat(kept, lengths)
    return log_posteriors[frames], labels[frames], np.asarray(lengths)[kept]


def _batches(lengths: Ints, num_classes: int) -> Iterator[Ints]:
    """Places of utterances, the longest first, as many as a step may hold."""
    order = np.argsort(-lengths, kind="stable")
    size = max(1, BATCH_CELLS // num_classes**2)
    yield from (order[i : i + size] for i in range(0, len(order), size))


def _viterbi(
    log_posteriors: Floats,
    starts: Ints,
    lengths: Ints,
    chain: Chain,
    strength: Strength,
    path: Ints,
) -> None:
    """Writes the paths of utterances, sorted from long to short, into `path`.

    All of them advance together; those that have ended wait at their last frame.
    """
    into = strength.transition * chain.log_transition.T  # (to, from): the maximum runs last
    prior = strength.prior * chain.log_prior
    best = strength.transition * chain.log_start + (log_posteriors[starts] - prior)
    origins: list[Ints] = []
    for time in range(1, int(lengths[0])):
        running = int(np.searchsorted(-lengths, -time, side="left"))
        candidates = best[:running, None, :] + into
        origin = candidates.argmax(axis=2)
        reached = np.take_along_axis(candidates, origin[:, :, None], axis=2)[:, :, 0]
        best[:running] = reached + (log_posteriors[starts[:running] + time] - prior)
        origins.append(origin.astype(np.int16))
    last = best.argmax(axis=1)
    path[starts + lengths - 1] = last
    for time in range(int(lengths[0]) - 1, 0, -1):
        running = len(origins[time - 1])
        last[:running] = origins[time - 1][np.arange(running), last[:running]]
        path[starts[:running] + time - 1] = last[:running]
