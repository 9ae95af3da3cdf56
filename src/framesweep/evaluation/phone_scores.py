"""Per-phone scores and the most frequent confusions, from one (C, C) confusion matrix.

Rows are true phones, columns predicted ones; a count is a number of frames.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from torch import Tensor

Floats = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class PhoneScores:
    """Scores of each phone, as arrays of shape (C,).

    Attributes:
        precision: Share of the frames predicted as the phone that are; 0 if there are none.
        recall: Share of the phone's frames that are predicted as it; 0 if there are none.
        f1: Harmonic mean of the two (van Rijsbergen, 1979); 0 if both are 0.
        support: The phone's number of frames.
    """

    precision: Floats
    recall: Floats
    f1: Floats
    support: Counts


@dataclass(frozen=True, slots=True)
class Confusion:
    """`count` frames of the phone with id `true` were classified as `predicted`.

    Attributes:
        share: `count` as a share of all frames of the true phone.
    """

    true: int
    predicted: int
    count: int
    share: float


def score_phones(confusion: Tensor) -> PhoneScores:
    """Return precision, recall, F1 and support of each phone of a (C, C) confusion matrix."""
    counts = confusion.cpu().numpy()
    hits = counts.diagonal()
    predicted, support = counts.sum(axis=0), counts.sum(axis=1)
    return PhoneScores(
        precision=_shares(hits, predicted),
        recall=_shares(hits, support),
        f1=_shares(2 * hits, predicted + support),
        support=support,
    )


def find_top_confusions(confusion: Tensor, limit: int) -> list[Confusion]:
    """Return the `limit` most frequent confusions in descending order, ties by phone ids."""
    wrong = confusion.cpu().numpy().copy()
    support = wrong.sum(axis=1)
    np.fill_diagonal(wrong, 0)
    order = np.argsort(-wrong, axis=None, kind="stable")[:limit]
    cells = (
        (int(i), int(j)) for i, j in zip(*np.unravel_index(order, wrong.shape), strict=True)
    )
    return [
        Confusion(i, j, int(wrong[i, j]), float(wrong[i, j] / support[i]))
        for i, j in cells
        if wrong[i, j] > 0
    ]


def _shares(part: Counts, whole: Counts) -> Floats:
    return np.divide(part, whole, out=np.zeros(len(part)), where=whole > 0)
