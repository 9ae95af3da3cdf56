"""The training loss: cross entropy with label smoothing and class weights, and its mean."""

from collections.abc import Callable
from typing import Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from framesweep.config import OptimConfig
from framesweep.data.chunks import UNLABELLED
from framesweep.data.store.frame_store import Split
from framesweep.distributed.collectives import ProcessGroup

Loss = Callable[[Tensor, Tensor], Tensor]
"""Maps logits (B, C) and labels (B,) int64 to a scalar."""

MIN_TOTAL_WEIGHT = 1e-12
"""Lower bound of the divisor of a mean, below the weight of any batch with a labelled frame.

A batch whose frames are all padding then has loss 0 instead of NaN.
"""


def build_training_loss(
    config: OptimConfig,
    split: Split,
    num_classes: int,
    device: torch.device,
    process_group: ProcessGroup,
    *,
    padded: bool,
) -> Loss:
    """Return the loss that is minimized: this rank's part of the mean over a batch.

    Args:
        config: The `optim` group.
        split: The train split, whose labels determine the class weights.
        num_classes: Number of phones.
        device: Device of the logits.
        process_group: The processes that share a batch.
        padded: Whether batches contain padding rows, which do not count in the mean.
    """
    weights = None
    if config.class_weights != "none":
        assert split.labels is not None
        counts = torch.from_numpy(np.bincount(split.labels, minlength=num_classes))
        weights = compute_class_weights(config, counts)
        weights = None if weights is None else weights.to(device)
    if process_group.size == 1 and not padded:
        return build_loss(config, weights)
    summed = build_loss(config, weights, reduction="sum")
    return average_over_batch(summed, weights, process_group)


def build_loss(
    config: OptimConfig,
    weights: Tensor | None = None,
    reduction: Literal["mean", "sum"] = "mean",
) -> Loss:
    """Return the cross entropy with `config.label_smoothing`, computed in float32.

    Args:
        config: The `optim` group.
        weights: (C,) factor of the loss of each true phone, or None for 1. With
            `reduction="mean"` the sum is divided by the weights of its frames.
        reduction: How the losses of the labelled frames are combined.

    Returns:
        A function of logits (B, C) of any floating-point type and labels (B,) int64 that
        returns a float32 scalar. Frames labelled UNLABELLED do not count.
    """

    def loss(logits: Tensor, labels: Tensor) -> Tensor:
        return F.cross_entropy(
            logits.float(),
            labels,
            weight=weights,
            ignore_index=UNLABELLED,
            reduction=reduction,
            label_smoothing=config.label_smoothing,
        )

    return loss


def average_over_batch(
    summed_loss: Loss, weights: Tensor | None, process_group: ProcessGroup
) -> Loss:
    """Turn a summed loss into this rank's part of the mean over the batch of all ranks.

    The parts of all ranks add up to the mean, so that gradients that are summed over the
    ranks are those of the mean. Averaging the ranks' own means instead would be wrong: ranks
    hold unequal numbers of rows, and unequal numbers of these are labelled.

    Args:
        summed_loss: A loss built with `reduction="sum"`, applied to this rank's rows.
        weights: (C,) class weights that `summed_loss` uses; the mean is over their sum.
        process_group: The processes that share the batch.

    Raises:
        RankLostError: When called, if another rank has ended.
    """

    def loss(logits: Tensor, labels: Tensor) -> Tensor:
        weight = (labels >= 0).float()
        if weights is not None:
            weight *= weights[labels.clamp(min=0)]
        total = weight.sum()
        process_group.all_reduce_sum(total)
        return summed_loss(logits, labels) / total.clamp(min=MIN_TOTAL_WEIGHT).to(logits.dtype)

    return loss


def compute_class_weights(config: OptimConfig, counts: Tensor) -> Tensor | None:
    """Return the (C,) float32 class weights of the loss, or None for `class_weights=none`.

    A weight is proportional to 1 / count (`inverse`) or 1 / sqrt(count) (`sqrt`), scaled so
    that the mean over the frames of the training set is 1. A phone that does not occur has
    weight 0.

    Args:
        config: The `optim` group.
        counts: (C,) number of training frames of each phone.
    """
    if config.class_weights == "none":
        return None
    power = 1.0 if config.class_weights == "inverse" else 0.5
    weights = torch.where(counts > 0, counts.clamp(min=1).double() ** -power, 0.0)
    return (weights * (counts.sum() / (weights * counts).sum())).float()
