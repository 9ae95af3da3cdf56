"""Norm, activation and dropout as one operation, in training on a CPU."""

import logging
from functools import cache
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from framesweep.distributed.collectives import Shard
from framesweep.kernels import openmp
from framesweep.kernels.activations import ACTIVATIONS, log_torch_instead
from framesweep.kernels.norms import combine_moments

log = logging.getLogger(__name__)

_Array = npt.NDArray[Any]
_ELEMENTS: dict[torch.dtype, type[np.generic]] = {
    torch.float32: np.float32,
    torch.bfloat16: np.uint16,  # NumPy has no bfloat16: the loops convert its bits
}


def available(x: Tensor, shard: Shard | None = None) -> bool:
    """Return whether the fused loops can replace torch's modules for an input like x (B, K).

    Args:
        x: The input.
        shard: Which rows of the batch x holds; None for a whole batch.
    """
    # One frame has no variance; see models.layers.BatchNorm.
    return (len(x) if shard is None else shard.total_rows) > 1 and has_loops(x)


def has_loops(x: Tensor) -> bool:
    """Return whether there are loops for tensors of x's device and type."""
    return (
        x.device.type == "cpu"
        and x.dtype in _ELEMENTS
        # torch.compile fuses on its own, and could not trace the loops.
        and not torch.compiler.is_compiling()
        and _compiled()
    )


def can_fuse(x: Tensor, activation: str, shard: Shard | None = None) -> bool:
    """Return whether `norm_activate_drop` works for x (B, N) and the named activation."""
    if not available(x, shard):
        return False
    if ACTIVATIONS[activation].loop is None:
        log_torch_instead(f"model.activation={activation}", "training step")
        return False
    return True


@cache
def _compiled() -> bool:
    """Return whether loops can be compiled: not without numba, GNU OpenMP or a cache folder."""
    if openmp.find_library() is None:
        log.info("this torch has no GNU OpenMP: its own modules compute hidden layers, slower")
        return False
    try:
        import framesweep.kernels.loops.columns  # noqa: F401
    except (ImportError, RuntimeError):  # the latter if numba finds no writable cache folder
        return False
    return True


# Numba takes half a second to import, and is needed only once a loop runs.


def row_loops() -> ModuleType:
    from framesweep.kernels.loops import rows

    return rows


def _columns() -> ModuleType:
    from framesweep.kernels.loops import columns

    return columns


def norm_activate_drop(
    x: Tensor, norm: nn.Module, activation: str, p: float, shard: Shard | None = None
) -> Tensor:
    """Return dropout(activation(norm(x))) in training, as (B, N).

    Args:
        x: (B, N), float32 or bfloat16.
        norm: A batch norm over N, whose running statistics are updated, or any other module,
            which is called as it is.
        activation: Its name in ACTIVATIONS; it must have a `loop`.
        p: Dropout probability. The elements that are kept are multiplied by 1 / (1 - p). A key
            for the mask is drawn from torch's random generator.
        shard: Which rows of the batch x holds; None for all.
    """
    shard = shard or Shard.whole(len(x))
    if isinstance(norm, nn.BatchNorm1d):
        return _NormActivateDrop.apply(x, norm.weight, norm.bias, norm, activation, p, shard)  # type: ignore[no-any-return, no-untyped-call]
    return _NormActivateDrop.apply(norm(x), None, None, None, activation, p, shard)  # type: ignore[no-any-return, no-untyped-call]


class _NormActivateDrop(Function):
    """Batch norm (Ioffe and Szegedy, 2015), an activation and dropout, and their gradient.

    Forward, the loops pass over x twice: for its moments, then for the output. Backward, they
    pass over x and dy for the gradient of the activation's input and its sums, which are in
    the gradient of batch norm, then over x and this gradient for dx, which replaces it. Neither
    the normalized input nor the mask is stored; both are computed again from x.
    """

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor | None,
        bias: Tensor | None,
        norm: nn.BatchNorm1d | None,
        activation: str,
        p: float,
        shard: Shard,
    ) -> Tensor:
        x = x.contiguous()
        dropout = draw_dropout(p, shard.first)
        coefficients = _identity(x, p) if norm is None else _normalize(x, norm, shard)
        y = torch.empty_like(x)
        address = row_loops().compile_forward(element(x), activation, p > 0)
        run_loop(address, x, dropout, coefficients, x, y)
        ctx.save_for_backward(x, coefficients)
        ctx.activation, ctx.p, ctx.dropout = activation, p, dropout
        ctx.has_norm, ctx.shard = norm is not None, shard
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor | None, ...]:
        x, coefficients = ctx.saved_tensors
        dy = dy.contiguous()
        rescale, total_rows = 1 / (1 - ctx.p), float(ctx.shard.total_rows)
        sums, dx = _block_sums(x), torch.empty_like(x)
        address = row_loops().compile_reduce(element(x), ctx.activation, ctx.p > 0)
        run_loop(address, x, ctx.dropout, coefficients, x, dy, sums, dx)
        dweight = dbias = None
        if ctx.has_norm:
            own = x.new_empty((2, x.shape[1]), dtype=torch.float64)
            run_loop(_columns().compile_totals(), x, np.array([rescale]), sums, own)
            dweight, dbias = parameters = x.new_empty((2, x.shape[1]), dtype=torch.float32)
            # dx depends on the sums over the whole batch, dweight and dbias on this rank's
            # alone: the training loop sums the gradients of parameters over the ranks.
            total = _sum_over_ranks(own, ctx.shard)
            numbers = np.array([rescale, total_rows])
            address = _columns().compile_gradients()
            run_loop(address, x, numbers, own, total, coefficients, parameters)
        run_loop(row_loops().compile_backward(element(x)), x, coefficients, x, dx)
        return dx, dweight, dbias, None, None, None, None


def _identity(x: Tensor, p: float) -> Tensor:
    """Return the loops' coefficients for a layer without a norm."""
    coefficients = x.new_zeros((7, x.shape[1]), dtype=torch.float32)
    coefficients[1] = 1.0
    coefficients[3] = 1 / (1 - p)
    return coefficients


def _normalize(x: Tensor, norm: nn.BatchNorm1d, shard: Shard) -> Tensor:
    """Return the loops' coefficients for a batch norm, and update its running statistics.

    The loops sum differences to the first row, so that even a mean that is large in comparison
    to the standard deviation costs the variance no precision.
    """
    sums = _block_sums(x)
    run_loop(row_loops().compile_moments(element(x)), x, x, sums)
    moments = x.new_empty((2, x.shape[1]), dtype=torch.float64)
    run_loop(_columns().compile_statistics(element(x)), x, sums, x, moments)
    if shard.process_group.size > 1:
        moments = torch.stack(combine_moments(moments[0], moments[1], shard))
    coefficients = x.new_empty((7, x.shape[1]), dtype=torch.float32)
    assert norm.running_mean is not None
    assert norm.running_var is not None
    assert norm.num_batches_tracked is not None
    numbers = np.array([norm.eps, norm.momentum, float(shard.total_rows)])
    running = norm.running_mean, norm.running_var
    weights = norm.weight.detach(), norm.bias.detach()
    address = _columns().compile_normalizer()
    run_loop(address, x, numbers, moments, *weights, *running, coefficients)
    norm.num_batches_tracked.add_(1)
    return coefficients


def _sum_over_ranks(own: Tensor, shard: Shard) -> Tensor:
    """Return the sum over all ranks of what this one has summed over its rows."""
    if shard.process_group.size == 1:
        return own
    total = own.clone()
    shard.process_group.all_reduce_sum(total)
    return total


def draw_dropout(p: float, first: int) -> _Array:
    """Return the loops' `dropout` argument; torch's generator draws its key if p is above 0.

    Args:
        p: Dropout probability.
        first: The number of the first row in its batch, so that ranks that divide a batch
            apply the mask that a single process would.
    """
    key = int(torch.empty((), dtype=torch.int64).random_()) if p > 0 else 0
    rescale = np.float32(1 / (1 - p)).view(np.uint32)
    words = [key & 0xFFFFFFFF, key >> 32, min(round(p * 2**32), 2**32 - 1), rescale, first]
    return np.array(words, dtype=np.uint32)


def _block_sums(x: Tensor) -> Tensor:
    blocks = -(-len(x) // row_loops().BLOCK_ROWS)
    return x.new_empty((blocks, 2, x.shape[1]), dtype=torch.float32)


def element(x: Tensor) -> type[np.generic]:
    """Return the type of the loops' elements for x."""
    return _ELEMENTS[x.dtype]


def run_loop(address: int, x: Tensor, *arguments: Tensor | _Array) -> None:
    """Run a loop for matrices of x's shape, with its further arguments in order."""
    shape = np.array(x.shape, dtype=np.int64)
    pointers = [a.data_ptr() if isinstance(a, Tensor) else a.ctypes.data for a in arguments]
    openmp.run_on_threads(address, (shape.ctypes.data, *pointers))
