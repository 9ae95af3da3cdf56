"""Chooses the runs of an ensemble by its accuracy on dev.

The method is forward selection with replacement (Caruana, Niculescu-Mizil, Crew and Ksikes,
"Ensemble Selection from Libraries of Models", ICML 2004): begin with the most accurate network,
then repeatedly add the one whose probabilities raise the accuracy of the average the most. A
network that is added twice has twice the weight.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from framesweep.errors import ConfigError, DataError
from framesweep.runs.ensembles.predictions import TrainedRun
from framesweep.runs.ensembles.same_data import require_same_corpus

SPLIT = "dev"
"""The split on which ensembles are chosen."""

MIN_GAIN = 0.0005
"""Smallest gain in accuracy for which a network is added. With less, the choice would follow
the noise of dev, at the price of another network."""

MAX_STEPS = 30
"""Most additions to an ensemble, and so the largest sum of its weights."""


@dataclass(frozen=True, slots=True)
class Library:
    """The predictions of all candidates for the frames of dev.

    Attributes:
        posteriors: M arrays of (N, C) float32 probabilities.
        labels: (N,) phone ids.
        lengths: (U,) frames of each utterance.
        num_params: M numbers of parameters.
    """

    posteriors: Sequence[NDArray[np.float32]]
    labels: NDArray[Any]
    lengths: NDArray[Any]
    num_params: Sequence[int]

    def measure(self, index: int) -> float:
        """Return the accuracy of a candidate alone."""
        return _measure(self.posteriors[index], self.labels)

    def half(self, parity: int) -> "Library":
        """Return the library of every other utterance, from the first or the second one."""
        chosen = np.repeat(np.arange(len(self.lengths)) % 2 == parity, self.lengths)
        return Library(
            [posteriors[chosen] for posteriors in self.posteriors],
            self.labels[chosen],
            self.lengths[parity::2],
            self.num_params,
        )


@dataclass(frozen=True, slots=True)
class Step:
    """An addition to an ensemble.

    Attributes:
        index: the candidate that was added.
        accuracy: the accuracy on dev afterwards.
    """

    index: int
    accuracy: float


def require_same_task(run: TrainedRun, first: TrainedRun) -> None:
    """Check that a run can be averaged with another one, and compared on the same dev split.

    Raises:
        DataError: its phones, its dev split or its corpus differ, or dev has no labels.
    """
    run.require_split(SPLIT)
    ours, theirs = run.store.splits[SPLIT], first.store.splits[SPLIT]
    if ours.labels is None or theirs.labels is None:
        place, rule = f"{run.directory} {SPLIT}", "must have labels to choose an ensemble by"
        raise DataError(place, rule)
    if run.store.phones.names != first.store.phones.names:
        raise DataError(
            run.directory,
            f"must have the phones of {first.directory}, in the same order",
            found=_describe_difference(run.store.phones.names, first.store.phones.names),
            fix="Combine only runs with the same labels.",
        )
    same_frames = np.array_equal(ours.lengths, theirs.lengths)
    if not same_frames or not np.array_equal(ours.labels, theirs.labels):
        raise DataError(
            run.directory,
            f"must have the dev split of {first.directory}, which has "
            f"{theirs.num_frames:,} frames of {len(theirs.lengths):,} utterances",
            found=f"{ours.num_frames:,} frames of {len(ours.lengths):,} utterances"
            + (", with other labels" if same_frames else ""),
            fix="Combine only runs with the same dev split.",
        )
    require_same_corpus(run, first)


def _describe_difference(found: Sequence[str], expected: Sequence[str]) -> str:
    for number, (ours, theirs) in enumerate(zip(found, expected, strict=False)):
        if ours != theirs:
            return f"{ours} instead of {theirs} as phone {number}"
    return f"{len(found)} phones instead of {len(expected)}"


def select_ensemble(library: Library, max_params: float | None = None) -> list[Step]:
    """Return the additions that make the most accurate ensemble, in their order.

    Args:
        library: The candidates.
        max_params: Limit of the total number of parameters; None for no limit. A network that
            is added repeatedly counts once.

    Raises:
        ConfigError: every candidate has more parameters.
    """
    steps: list[Step] = []
    total = np.zeros_like(library.posteriors[0])
    while len(steps) < MAX_STEPS:
        fitting = _find_fitting(library, {step.index for step in steps}, max_params)
        accuracies = {
            index: _measure(total + library.posteriors[index], library.labels)
            for index in fitting
        }
        if not accuracies:
            smallest = min(library.num_params)
            rule = f"must be at least {smallest:,}, the parameters of the smallest network"
            raise ConfigError("--parameters", rule, found=max_params)
        index = max(fitting, key=lambda i: (accuracies[i], -library.num_params[i]))
        if steps and accuracies[index] < steps[-1].accuracy + MIN_GAIN:
            break
        steps.append(Step(index, accuracies[index]))
        total += library.posteriors[index]
    return steps


def estimate_accuracy(library: Library, max_params: float | None = None) -> float | None:
    """Return the accuracy of this selection on utterances that it did not see.

    Each half of the utterances is classified by the ensemble that is chosen on the other half.
    Return None if dev has a single utterance.
    """
    if len(library.lengths) < 2:
        return None
    halves = library.half(0), library.half(1)
    correct = 0.0
    for chosen_on, held_out in (halves, halves[::-1]):
        steps = select_ensemble(chosen_on, max_params)
        average = sum(held_out.posteriors[step.index] for step in steps)
        correct += _measure(average, held_out.labels) * len(held_out.labels)
    return correct / len(library.labels)


def count_total_params(library: Library, indices: Iterable[int]) -> int:
    """Return the parameters of an ensemble, in which each candidate counts once."""
    return sum(library.num_params[index] for index in set(indices))


def _find_fitting(library: Library, chosen: set[int], max_params: float | None) -> list[int]:
    """Return the candidates that can be added without exceeding the limit."""
    used = count_total_params(library, chosen)
    return [
        index
        for index, num_params in enumerate(library.num_params)
        if index in chosen or max_params is None or used + num_params <= max_params
    ]


def _measure(scores: Any, labels: NDArray[Any]) -> float:
    return float((scores.argmax(axis=1) == labels).mean())
