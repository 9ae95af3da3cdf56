"""Frame metrics, all from one (C, C) confusion matrix of counts.

Rows are true phones, columns predicted ones; a count is a number of frames, so every metric is
exact over frames however they were batched.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

Floats = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class PhoneScores:
    """Scores of each phone, as arrays of shape (C,).

    Attributes:
        precision: share of the frames named so that are so; 0 where none was named so.
        recall: share of the phone's frames that were found; 0 where it has none.
        f1: harmonic mean of the two (van Rijsbergen, 1979); 0 where both are.
        support: the phone's frames.
    """

    precision: Floats
    recall: Floats
    f1: Floats
    support: Counts


@dataclass(frozen=True, slots=True)
class Confusion:
    """One way to be wrong: `count` frames of phone `true` were called `predicted`.

    Attributes:
        share: of all frames of the true phone.
    """

    true: int
    predicted: int
    count: int
    share: float


def confusion_update(confusion: Tensor, labels: Tensor, predictions: Tensor) -> None:
    """Counts (B,) int64 `labels` and `predictions` into (C, C) int64 `confusion`, in place.

    Nothing waits for an accelerator; labels and predictions must lie in 0 to C-1.
    """
    cells = labels * confusion.shape[1] + predictions
    confusion.view(-1).index_add_(0, cells, torch.ones_like(cells))


def accuracy(confusion: Tensor) -> float:
    """Share of frames named right; NaN where there are none."""
    return _ratio(confusion.trace(), confusion.sum())


def speech_accuracy(confusion: Tensor, silence_ids: Collection[int]) -> float:
    """Share of right frames among those whose true phone is not silence; NaN for none."""
    speech = torch.ones(len(confusion), dtype=torch.bool, device=confusion.device)
    speech[list(silence_ids)] = False
    return _ratio(confusion.diagonal()[speech].sum(), confusion[speech].sum())


def macro_accuracy(confusion: Tensor) -> float:
    """Mean recall over the phones that occur, each counting the same; NaN for none."""
    support = confusion.sum(dim=1)
    occurs = support > 0
    recall = confusion.diagonal()[occurs].double() / support[occurs]
    return float(recall.mean())


def folded_accuracy(confusion: Tensor, classes: Sequence[int]) -> float:
    """Share of frames named right when phones of one class count as one; NaN for none.

    Args:
        confusion: (C, C) counts.
        classes: C classes, -1 for a phone whose frames are left out; to be named so by mistake
            counts as wrong.
    """
    index = torch.as_tensor(classes, device=confusion.device)
    kept = index >= 0
    same = (index[:, None] == index[None, :]) & kept[:, None]
    return _ratio(confusion[same].sum(), confusion[kept].sum())


def phone_scores(confusion: Tensor) -> PhoneScores:
    """Precision, recall, F1 and support of each phone."""
    counts = confusion.cpu().numpy()
    hits = counts.diagonal()
    predicted, support = counts.sum(axis=0), counts.sum(axis=1)
    return PhoneScores(
        precision=_shares(hits, predicted),
        recall=_shares(hits, support),
        f1=_shares(2 * hits, predicted + support),
        support=support,
    )


def top_confusions(confusion: Tensor, limit: int) -> list[Confusion]:
    """The `limit` most frequent confusions, most frequent first, then by phone ids."""
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


def _ratio(part: Tensor, whole: Tensor) -> float:
    return int(part) / int(whole) if int(whole) else float("nan")


def _shares(part: Counts, whole: Counts) -> Floats:
    return np.divide(part, whole, out=np.zeros(len(part)), where=whole > 0)
