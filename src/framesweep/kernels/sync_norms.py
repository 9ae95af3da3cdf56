"""Batch norm over a batch that several GPUs divide, by torch's own kernels in float32.

Each rank computes the mean and the inverse standard deviation of its rows. These few numbers
are gathered, and each rank combines them as Chan, Golub and LeVeque (1979, "Updating formulae
and a pairwise algorithm for computing sample variances") do, which loses no precision as a
difference of two large sums would. Backward, two sums per column are exchanged.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import Function

from framesweep.distributed.collectives import Shard


def sync_batch_norm(x: Tensor, norm: nn.BatchNorm1d, shard: Shard) -> Tensor:
    """Apply `norm` in training with the statistics of the whole batch; (B, N) to (B, N).

    Args:
        x: This rank's rows of the batch, on a GPU; there may be none.
        norm: The batch norm; its running statistics are updated.
        shard: Which rows of the batch x holds, at least two in all.
    """
    assert norm.num_batches_tracked is not None
    norm.num_batches_tracked.add_(1)
    y: Tensor = _SyncBatchNorm.apply(x, norm.weight, norm.bias, norm, shard)  # type: ignore[no-untyped-call]
    return y


class _SyncBatchNorm(Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, norm: nn.BatchNorm1d, shard: Shard
    ) -> Tensor:
        assert norm.momentum is not None
        x = x.contiguous()
        num_columns = x.shape[1]
        own = x.new_ones(2 * num_columns + 1, dtype=torch.float32)
        own[-1].fill_(len(x))
        if len(x):
            own[:-1] = torch.cat(torch.batch_norm_stats(x, norm.eps))
        # The last rank comes first: it has rows whatever the batch, and torch's kernel divides
        # by the number of rows so far.
        ranks = shard.process_group.all_gather(own).flip(0)
        means, inverse_deviations, counts = torch.split(
            ranks, [num_columns, num_columns, 1], dim=1
        )
        counts = counts.flatten()
        mean, inverse_deviation = torch.batch_norm_gather_stats_with_counts(
            x,
            means.contiguous(),
            inverse_deviations.contiguous(),
            norm.running_mean,
            norm.running_var,
            norm.momentum,
            norm.eps,
            counts,
        )
        ctx.save_for_backward(x, weight, mean, inverse_deviation, counts)
        ctx.process_group = shard.process_group
        if not len(x):
            return torch.empty_like(x)
        return torch.batch_norm_elemt(x, weight, bias, mean, inverse_deviation, norm.eps)

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, mean, inverse_deviation, counts = ctx.saved_tensors
        dy = dy.contiguous()
        dweight, dbias = torch.zeros_like(weight), torch.zeros_like(weight)
        sums = mean.new_zeros(2 * len(mean))
        if len(x):
            # The gradients of the parameters are those of this rank's rows: the training loop
            # sums them over the ranks.
            *own, dweight, dbias = torch.batch_norm_backward_reduce(
                dy, x, mean, inverse_deviation, weight, True, True, True
            )
            sums = torch.cat(own)
        ctx.process_group.all_reduce_sum(sums)
        if not len(x):
            return torch.empty_like(x), dweight, dbias, None, None
        sum_dy, sum_dy_xmu = torch.split(sums, len(mean))
        dx = torch.batch_norm_backward_elemt(
            dy, x, mean, inverse_deviation, weight, sum_dy, sum_dy_xmu, counts.to(torch.int32)
        )
        return dx, dweight, dbias, None, None
