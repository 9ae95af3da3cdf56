"""Viterbi smoothing of frame posteriors by a chain of phones counted on train.

Frames are classified one by one, but phones last for many frames, and some follow others more
often. Viterbi's algorithm (Viterbi, 1967) finds the path of phones y that maximizes

    sum over t of  log p(y_t | x_t) - prior * log p(y_t) + transition * log p(y_t | y_{t-1})

The first two terms are the scaled likelihood of hybrid recognizers (Bourlard and Morgan, 1994).
With both strengths at 0 the path is the argmax of each frame.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
import numpy.typing as npt
import torch

from framesweep.data.store.frame_store import FrameStore, Split
from framesweep.errors import DataError
from framesweep.evaluation import viterbi_on_device
from framesweep.evaluation.phone_chain import Chain, count_chain

Floats = npt.NDArray[np.floating]
Ints = npt.NDArray[np.integer]
CPU = torch.device("cpu")

TRANSITIONS = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0)
PRIORS = (0.0, 0.2, 0.4, 0.7, 1.0)
"""Strengths that `tune` tries, of transitions and of priors."""
TUNING_CELLS = 1 << 27
"""Limit of frames * phones**2 on which `tune` tries a strength: 84,000 frames of 40 phones."""
MAX_CLASSES = 512
"""Largest number of classes. More are probably states of phones, and their chain too large."""
MIN_PROBABILITY = 1e-30
"""Lower bound of probabilities before their logarithm."""
BATCH_CELLS = 1 << 20
"""Limit of utterances * phones**2 in one step of the recursion, to bound the memory."""


@dataclass(frozen=True, slots=True)
class Strength:
    """The weight of the chain: factors of its log transitions and of its log priors."""

    transition: float
    prior: float


@dataclass(frozen=True, slots=True)
class Smoother:
    """A chain and its weight; maps (N, C) log-posteriors and (U,) lengths to (N,) phone ids."""

    chain: Chain
    strength: Strength
    device: torch.device = CPU

    def __call__(self, log_posteriors: Floats, lengths: Ints) -> Ints:
        return smooth(log_posteriors, lengths, self.chain, self.strength, self.device)


def count_train_chain(store: FrameStore) -> Chain:
    """Count the chain of phones on the train split of a store.

    Raises:
        DataError: if the corpus has more than MAX_CLASSES classes.
    """
    if len(store.phones) > MAX_CLASSES:
        raise DataError(
            store.name,
            f"must have at most {MAX_CLASSES} classes to be smoothed",
            found=len(store.phones),
        )
    train = store.splits["train"]
    assert train.labels is not None
    return count_chain(train.labels, train.lengths, len(store.phones))


def tune_smoother(
    chain: Chain, dev: Split, log_posteriors: Floats, device: torch.device = CPU
) -> tuple[Smoother, Ints]:
    """Tune the strength of a chain on dev; it is 0 if that is as accurate on all of dev.

    Args:
        chain: A chain over the C phones.
        dev: The dev split, of N frames.
        log_posteriors: (N, C) log-posteriors of these frames.
        device: Where to find paths.

    Returns:
        The smoother, and the (N,) phone ids that it finds for dev.
    """
    assert dev.labels is not None
    strength, _ = tune(log_posteriors, dev.labels, dev.lengths, chain, device)
    smoother = Smoother(chain, strength, device)
    # The best of many strengths on a sample can be worse than none on the rest.
    smoothed, plain = smoother(log_posteriors, dev.lengths), log_posteriors.argmax(axis=1)
    if (smoothed == dev.labels).mean() > (plain == dev.labels).mean():
        return smoother, smoothed
    return replace(smoother, strength=Strength(0.0, 0.0)), plain


def smooth(
    log_posteriors: Floats,
    lengths: Ints,
    chain: Chain,
    strength: Strength,
    device: torch.device = CPU,
) -> Ints:
    """Return the most probable path of phones through each utterance.

    Args:
        log_posteriors: (N, C) natural logarithms, utterance after utterance.
        lengths: (U,) number of frames of each utterance.
        chain: A chain over the C phones.
        strength: The weight of the chain.
        device: Where to find the paths.

    Returns:
        (N,) int64 phone ids.
    """
    lengths = np.asarray(lengths)
    starts = np.cumsum(lengths) - lengths
    num_classes = log_posteriors.shape[1]
    if device.type in viterbi_on_device.DEVICES:
        groups = _group_by_length(lengths, num_classes, viterbi_on_device.BATCH_CELLS)
        return viterbi_on_device.smooth(
            torch.from_numpy(log_posteriors).to(device),
            [(starts[group], lengths[group]) for group in groups],
            *_scale(chain, strength),
        )
    path = np.empty(len(log_posteriors), dtype=np.int64)
    for group in _group_by_length(lengths, num_classes, BATCH_CELLS):
        _find_paths(log_posteriors, starts[group], lengths[group], chain, strength, path)
    return path


def _scale(chain: Chain, strength: Strength) -> tuple[Floats, Floats, Floats]:
    """Return the scores of starts, of transitions (to, from) and of priors.

    In the second, the phones before are on the last axis, so that the maximum over them reads
    contiguous memory.
    """
    return (
        strength.transition * chain.log_start,
        strength.transition * chain.log_transition.T,
        strength.prior * chain.log_prior,
    )


def tune(
    log_posteriors: Floats,
    labels: Ints,
    lengths: Ints,
    chain: Chain,
    device: torch.device = CPU,
) -> tuple[Strength, float]:
    """Return the strength with the highest accuracy, and that accuracy.

    It searches coordinate by coordinate: transitions, then priors, then transitions again. If
    transitions do not help without priors, it tries all pairs. Of a large split it uses a
    sample of utterances. The first of equal strengths wins, and 0 is tried first, so that a
    chain which does not help is not used.

    Args:
        log_posteriors: (N, C) natural logarithms, utterance after utterance.
        labels: (N,) ids of the true phones.
        lengths: (U,) number of frames of each utterance.
        chain: A chain over the C phones.
        device: Where to find the paths.
    """
    scores, truth, chosen = _sample_utterances(log_posteriors, labels, lengths)
    best, best_accuracy = Strength(0.0, 0.0), -1.0

    def search(strengths: list[Strength]) -> None:
        nonlocal best, best_accuracy
        for strength in strengths:
            path = smooth(scores, chosen, chain, strength, device)
            accuracy = float((path == truth).mean())
            if accuracy > best_accuracy:
                best, best_accuracy = strength, accuracy

    search([Strength(transition, 0.0) for transition in TRANSITIONS])
    if best.transition == 0:
        # Transitions alone favor frequent phones, which can cost more than they gain.
        search([Strength(*pair) for pair in product(TRANSITIONS[1:], PRIORS[1:])])
    else:
        search([replace(best, prior=prior) for prior in PRIORS[1:]])
        search([replace(best, transition=transition) for transition in TRANSITIONS])
    return best, best_accuracy


def _sample_utterances(
    log_posteriors: Floats, labels: Ints, lengths: Ints
) -> tuple[Floats, Ints, Ints]:
    """Keep every so many utterances, so that about TUNING_CELLS are left."""
    cells = len(labels) * log_posteriors.shape[1] ** 2
    every = -(-cells // TUNING_CELLS)
    kept = np.zeros(len(lengths), dtype=bool)
    kept[::every] = True
    frames = np.repeat(kept, lengths)
    return log_posteriors[frames], labels[frames], np.asarray(lengths)[kept]


def _group_by_length(lengths: Ints, num_classes: int, max_cells: int) -> Iterator[Ints]:
    """Yield the numbers of utterances in batches, from the longest to the shortest."""
    order = np.argsort(-lengths, kind="stable")
    size = max(1, max_cells // num_classes**2)
    yield from (order[i : i + size] for i in range(0, len(order), size))


def _find_paths(
    log_posteriors: Floats,
    starts: Ints,
    lengths: Ints,
    chain: Chain,
    strength: Strength,
    path: Ints,
) -> None:
    """Write the paths of a batch of utterances, sorted from long to short, into `path`.

    The recursion advances all of them by one frame per step. `best` is (utterances, C): the
    score of the best path to each phone. Because of the sorting, those that have not ended are
    always the first `running`; the others keep the scores of their last frame.
    """
    log_start, into, prior = _scale(chain, strength)
    best = log_start + (log_posteriors[starts] - prior)
    origins: list[Ints] = []
    for time in range(1, int(lengths[0])):
        running = int(np.searchsorted(-lengths, -time, side="left"))
        candidates = best[:running, None, :] + into
        origin = candidates.argmax(axis=2)
        reached = np.take_along_axis(candidates, origin[:, :, None], axis=2)[:, :, 0]
        best[:running] = reached + (log_posteriors[starts[:running] + time] - prior)
        origins.append(origin.astype(np.int16))
    # Trace the paths back; an utterance joins in at its own last frame.
    last = best.argmax(axis=1)
    path[starts + lengths - 1] = last
    for time in range(int(lengths[0]) - 1, 0, -1):
        running = len(origins[time - 1])
        last[:running] = origins[time - 1][np.arange(running), last[:running]]
        path[starts[:running] + time - 1] = last[:running]
