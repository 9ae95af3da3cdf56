"""Batch norm over a batch that several processes divide, and its running statistics."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import Function

from framesweep.distributed.collectives import ProcessGroup, Shard
from framesweep.kernels.sync_norms import sync_batch_norm


def shared_batch_norm(x: Tensor, norm: nn.BatchNorm1d, shard: Shard) -> Tensor:
    """Apply `norm` in training with the statistics of the whole batch; (B, N) to (B, N).

    Args:
        x: This rank's rows of the batch.
        norm: The batch norm; its running statistics are updated.
        shard: Which rows of the batch x holds.
    """
    if x.device.type == "cuda":
        return sync_batch_norm(x, norm, shard)
    # In float64, because the variance is a difference of two sums that may be nearly equal.
    wide = x.double()
    own = torch.stack((wide.sum(dim=0), wide.square().sum(dim=0)))
    sums = _AllReduceSum.apply(own, shard.process_group)  # type: ignore[no-untyped-call]
    mean, square = sums / shard.total_rows
    variance = (square - mean.square()).clamp_min(0.0)
    update_running(norm, mean.detach().float(), variance.detach().float(), shard.total_rows)
    normal: Tensor = (wide - mean) * (variance + norm.eps).rsqrt()
    return (normal.float() * norm.weight + norm.bias).to(x.dtype)


def combine_moments(mean: Tensor, variance: Tensor, shard: Shard) -> tuple[Tensor, Tensor]:
    """Combine the (N,) float64 mean and biased variance of each rank's rows over the batch."""
    sums = torch.stack((mean, variance + mean.square())) * shard.num_rows
    shard.process_group.all_reduce_sum(sums)
    mean, square = sums / shard.total_rows
    return mean, (square - mean.square()).clamp_(min=0.0)


def update_running(norm: nn.BatchNorm1d, mean: Tensor, variance: Tensor, num_rows: int) -> None:
    """Update the running statistics of a batch norm as the module itself does.

    Args:
        norm: The batch norm over N columns.
        mean: (N,) mean of the batch.
        variance: (N,) biased variance of the batch; the running variance is unbiased.
        num_rows: Rows of the batch, at least 2.
    """
    assert norm.running_mean is not None
    assert norm.running_var is not None
    assert norm.num_batches_tracked is not None
    assert norm.momentum is not None
    norm.num_batches_tracked.add_(1)
    norm.running_mean.lerp_(mean, norm.momentum)
    norm.running_var.lerp_(variance * (num_rows / (num_rows - 1)), norm.momentum)


class _AllReduceSum(Function):
    """The sum of a tensor over the ranks, through which gradients pass.

    Each rank's input is part of every rank's output, so the gradient is summed as well.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, process_group: ProcessGroup) -> Tensor:
        ctx.process_group = process_group
        y = x.clone()
        process_group.all_reduce_sum(y)
        return y

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor, None]:
        dx = dy.clone()
        ctx.process_group.all_reduce_sum(dx)
        return dx, None
