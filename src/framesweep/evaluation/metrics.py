"""The registry of metrics, and the metrics of an evaluation.

Counts are numbers of frames, and sequences of phones are complete, so every metric is exact
over a split, however its frames were batched or shared between processes. To add one, write a
function of an `Evaluation` here and decorate it with `@metric`: it is then tracked, and can be
an objective.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

import torch
from torch import Tensor

from framesweep.data.phones import FOLDINGS, Folding, PhoneSet
from framesweep.evaluation.phone_errors import (
    PhonePaths,
    compute_phone_error_rate,
    fold_phones,
    merge_silences,
)


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What one pass over a labelled split of N frames and C phones counts.

    Attributes:
        split: Name of the split: train, dev or test.
        confusion: (C, C) int64 counts on the CPU; rows are true phones, columns predictions.
        loss: Mean cross-entropy per frame, in nats.
        edge_correct: Correctly classified frames among the `num_edges`.
        num_edges: Frames whose window crosses an edge of their utterance.
        phones: The C phones.
        paths: The sequences of phones of all utterances, if they were kept.
    """

    split: str
    confusion: Tensor
    loss: float
    edge_correct: int
    num_edges: int
    phones: PhoneSet
    paths: PhonePaths | None = None

    def metrics(self) -> dict[str, float]:
        """Return the frame metrics that are defined here, by name: `dev/accuracy`, ..."""
        values = {
            f"{self.split}/{spec.name.removeprefix(_DEV)}": spec.compute(self)
            for spec in METRICS.values()
            if spec.compute is not None
        }
        return {name: value for name, value in values.items() if value is not None}


Panel = Literal["loss", "accuracy"]
"""A picture of learning curves, which have one axis."""

FrameMetric = Callable[[Evaluation], float | None]
"""Computes a metric; returns None where it is not defined, as for another phone set."""


@dataclass(frozen=True, slots=True)
class MetricSpec:
    """A metric that an objective can name.

    Attributes:
        name: The name under which it is tracked.
        maximize: Whether a larger value is better.
        compute: The function, if the metric is computed from an evaluation.
        panel: The learning curves among which it is drawn, if its name does not end so.
    """

    name: str
    maximize: bool = True
    compute: FrameMetric | None = None
    panel: Panel | None = None


_DEV = "dev/"

METRICS: dict[str, MetricSpec] = {
    spec.name: spec
    for spec in (
        MetricSpec("train/loss", maximize=False),
        MetricSpec("train/accuracy"),
        MetricSpec("train/frames_per_second"),
        MetricSpec("model/params", maximize=False),
    )
}
"""Every metric by name: those of training and of the network, and all frame metrics on dev."""


def metric(
    name: str, *, maximize: bool = True, panel: Panel | None = None
) -> Callable[[FrameMetric], FrameMetric]:
    """Return a decorator that enters a frame metric into METRICS as `dev/<name>`."""

    def enter(compute: FrameMetric) -> FrameMetric:
        METRICS[_DEV + name] = MetricSpec(_DEV + name, maximize, compute, panel)
        return compute

    return enter


def list_curves(history: Iterable[Mapping[str, float]], panel: Panel) -> list[str]:
    """Return the names of the metrics that are drawn in a panel, those of train first."""
    names = {name for metrics in history for name in metrics if _belongs_to(name, panel)}
    return sorted(names, key=lambda name: (not name.startswith("train"), len(name), name))


def _belongs_to(name: str, panel: Panel) -> bool:
    spec = METRICS.get(_DEV + name.partition("/")[2])
    return (spec.panel == panel) if spec and spec.panel else name.endswith(panel)


def update_confusion(confusion: Tensor, labels: Tensor, predictions: Tensor) -> None:
    """Count (B,) int64 labels and predictions in the (C, C) int64 `confusion`, in place.

    Labels and predictions must be between 0 and C-1: they are not checked, because a check
    would synchronize an accelerator with the host.
    """
    cells = labels * confusion.shape[1] + predictions
    confusion.view(-1).index_add_(0, cells, torch.ones_like(cells))


@metric("loss", maximize=False)
def loss(evaluation: Evaluation) -> float:
    """Return the mean cross-entropy per frame, in nats."""
    return evaluation.loss


@metric("accuracy")
def accuracy(evaluation: Evaluation) -> float:
    """Return the share of correctly classified frames; NaN if there are no frames."""
    return _ratio(evaluation.confusion.trace(), evaluation.confusion.sum())


@metric("speech_accuracy")
def speech_accuracy(evaluation: Evaluation) -> float:
    """Return the accuracy over frames that are not silence; NaN if there are none."""
    confusion = evaluation.confusion
    speech = torch.ones(len(confusion), dtype=torch.bool)
    speech[list(evaluation.phones.silence_ids)] = False
    return _ratio(confusion.diagonal()[speech].sum(), confusion[speech].sum())


@metric("macro_accuracy")
def macro_accuracy(evaluation: Evaluation) -> float:
    """Return the mean recall over the phones that occur; NaN if there are no frames."""
    support = evaluation.confusion.sum(dim=1)
    occurs = support > 0
    recall = evaluation.confusion.diagonal()[occurs].double() / support[occurs]
    return float(recall.mean())


@metric("edge_accuracy")
def edge_accuracy(evaluation: Evaluation) -> float | None:
    """Return the accuracy over frames whose window crosses an edge of their utterance."""
    if evaluation.num_edges == 0:
        return None
    return evaluation.edge_correct / evaluation.num_edges


def folding_accuracy(folding: Folding, evaluation: Evaluation) -> float | None:
    """Return the accuracy with phones merged by `folding`; None if it does not fit them."""
    if not folding.fits(evaluation.phones):
        return None
    classes, _ = folding.classes(evaluation.phones)
    return folded_accuracy(evaluation.confusion, classes)


@metric("phone_error_rate", maximize=False)
def phone_error_rate(evaluation: Evaluation) -> float | None:
    """Return the phone error rate, with all silences as one phone; see `phone_errors`."""
    if evaluation.paths is None:
        return None
    return compute_phone_error_rate(evaluation.paths, merge_silences(evaluation.phones))


def folding_phone_error_rate(folding: Folding, evaluation: Evaluation) -> float | None:
    """Return the phone error rate with phones merged by `folding`; None if it does not fit."""
    if evaluation.paths is None or not folding.fits(evaluation.phones):
        return None
    return compute_phone_error_rate(evaluation.paths, fold_phones(evaluation.phones, folding))


for _folding in FOLDINGS:
    metric(f"accuracy_{_folding.name}")(partial(folding_accuracy, _folding))
    metric(f"phone_error_rate_{_folding.name}", maximize=False)(
        partial(folding_phone_error_rate, _folding)
    )


def folded_accuracy(confusion: Tensor, classes: Sequence[int]) -> float:
    """Return the accuracy when phones of the same class count as one; NaN without frames.

    Args:
        confusion: (C, C) counts.
        classes: The class of each of the C phones, or -1 for a phone whose frames are left
            out; predicting such a phone for another frame counts as wrong.
    """
    index = torch.as_tensor(classes, device=confusion.device)
    kept = index >= 0
    same = (index[:, None] == index[None, :]) & kept[:, None]
    return _ratio(confusion[same].sum(), confusion[kept].sum())


def _ratio(part: Tensor, whole: Tensor) -> float:
    return int(part) / int(whole) if int(whole) else float("nan")
