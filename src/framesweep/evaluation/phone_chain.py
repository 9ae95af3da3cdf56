"""A Markov chain over phones, counted on the labels of a split."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating]
Ints = npt.NDArray[np.integer]

COUNTED_AT_ONCE = 1 << 20
"""Frames whose labels are counted at a time, to bound the memory."""


@dataclass(frozen=True, slots=True)
class Chain:
    """A Markov chain over C phones.

    Attributes:
        log_prior: (C,) log of each phone's share of frames.
        log_start: (C,) log-probability of each phone in an utterance's first frame.
        log_transition: (C, C) log-probability of a frame's phone (column) given the phone of
            the frame before (row).
    """

    log_prior: Floats
    log_start: Floats
    log_transition: Floats


def count_chain(labels: Ints, lengths: Ints, num_classes: int) -> Chain:
    """Estimate a chain from the labels of a split.

    One is added to every count (Laplace's rule), so that no path has probability 0.

    Args:
        labels: (N,) ids of all frames, utterance after utterance.
        lengths: (U,) number of frames of each utterance.
        num_classes: C, the number of phones.
    """
    firsts = np.cumsum(lengths) - lengths
    transitions = np.ones((num_classes, num_classes))
    priors = np.ones(num_classes)
    for place in range(0, len(labels), COUNTED_AT_ONCE):
        # One label more than is counted: the successor of the last.
        part = np.asarray(labels[place : place + COUNTED_AT_ONCE + 1], dtype=np.int64)
        pairs = part[:-1] * num_classes + part[1:]
        transitions += np.bincount(pairs, minlength=num_classes**2).reshape(transitions.shape)
        priors += np.bincount(part[:COUNTED_AT_ONCE], minlength=num_classes)
    # The first frame of an utterance does not follow the last frame of the one before.
    np.subtract.at(transitions, (labels[firsts[1:] - 1], labels[firsts[1:]]), 1.0)
    starts = np.bincount(labels[firsts], minlength=num_classes) + 1.0
    return Chain(
        log_prior=np.log(priors / priors.sum()).astype(np.float32),
        log_start=np.log(starts / starts.sum()).astype(np.float32),
        log_transition=np.log(transitions / transitions.sum(axis=1, keepdims=True)).astype(
            np.float32
        ),
    )
