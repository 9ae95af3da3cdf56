"""Dropout alone, in training on a CPU, without a mask in memory.

Torch draws the number of each element one by one, which takes up to a third of a training step
of a network that has no batch norm to fuse dropout with.
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from framesweep.distributed.collectives import Shard
from framesweep.kernels.layers import draw_dropout, element, row_loops, run_loop


def row_dropout(x: Tensor, p: float, shard: Shard | None = None) -> Tensor:
    """Return x (N, ..., W) with elements set to zero and the others multiplied by 1 / (1 - p).

    Which elements are kept is a hash of their position in the whole batch and of a key, which
    is drawn from torch's random generator: ranks that divide a batch apply the mask that a
    single process would.

    Args:
        x: A tensor for which `has_loops` is true.
        p: Share of the elements to drop, from 0 to below 1.
        shard: Which items of the batch x holds; None for all.
    """
    rows_per_item = x.shape[1:-1].numel()
    first = 0 if shard is None else shard.first * rows_per_item
    return _RowDropout.apply(x, p, first)  # type: ignore[no-any-return, no-untyped-call]


class _RowDropout(Function):
    """Dropout; the backward pass computes the mask again from its key."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, p: float, first: int) -> Tensor:
        ctx.dropout = draw_dropout(p, first)
        return _drop(x, ctx.dropout)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor | None, ...]:
        return _drop(dy, ctx.dropout), None, None


def _drop(x: Tensor, dropout: Any) -> Tensor:
    x = x.contiguous()
    y = torch.empty_like(x)
    address = row_loops().compile_dropout(element(x))
    run_loop(address, x.view(-1, x.shape[-1]), dropout, x, y)
    return y
