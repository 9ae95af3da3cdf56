"""Linear layers, and norm, activation and dropout as one, on a processor."""

from functools import cache
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from framesweep.distributed import collectives
from framesweep.kernels import matmul, openmp
from framesweep.kernels.matmul import product
from framesweep.kernels.norms import batch_moments

_Array = npt.NDArray[Any]
_ELEMENTS: dict[torch.dtype, type[np.generic]] = {
    torch.float32: np.float32,
    torch.bfloat16: np.uint16,
}


def available(x: Tensor) -> bool:
    """Whether the functions of this package can take over for an input like x (B, K)."""
    return (
        x.device.type == "cpu"
        and x.dtype in _ELEMENTS
        and collectives.share_of(x).total > 1
        and not torch.compiler.is_compiling()
        and _compiled()
    )


@cache
def _compiled() -> bool:
    """Whether there are loops: False without numba, GNU OpenMP or a place to keep them."""
    if openmp.library() is None:
        return False
    try:
        import framesweep.kernels.columns  # noqa: F401
    except (ImportError, RuntimeError):  # the latter where numba may write nowhere
        return False
    return True


def _rows() -> ModuleType:
    from framesweep.kernels import rows

    return rows


def _columns() -> ModuleType:
    from framesweep.kernels import columns

    return columns


def linear(x: Tensor, layer: nn.Linear) -> Tensor:
    """What `layer` does with x (B, K); in float32 by `products.product`."""
    by_torch = (
        x.device.type != "cpu"
        or x.dtype != torch.float32
        or len(x) == 0
        or torch.is_autocast_enabled("cpu")
        or torch.compiler.is_compiling()
        or not matmul.available()
    )
    if by_torch:
        y: Tensor = layer(x)
        return y
    return _Linear.apply(x, layer.weight, layer.bias)  # type: ignore[no-any-return, no-untyped-call]


class _Linear(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(x, weight)
        return product(x, weight, bias)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        need_x, need_weight, need_bias = ctx.needs_input_grad
        return (
            product(dy, weight.t()) if need_x else None,
            product(dy.t(), x.t()) if need_weight else None,
            dy.sum(dim=0) if need_bias else None,
        )


def norm_activate_drop(x: Tensor, norm: nn.Module, activation: str, p: float) -> Tensor:
    """Dropout(activation(norm(x))) in training, of x (B, N); dropout draws on torch's RNG.

    Args:
        x: float32 or bfloat16.
        norm: a batch norm over N, whose running statistics are brought up to date, or any
            other module, which is applied as it is.
        activation: relu, gelu, silu or leaky_relu.
        p: share of elements dropped; the others are scaled by 1 / (1 - p).
    """
    if isinstance(norm, nn.BatchNorm1d):
        return _NormActivateDrop.apply(x, norm.weight, norm.bias, norm, activation, p)  # type: ignore[no-any-return, no-untyped-call]
    return _NormActivateDrop.apply(norm(x), None, None, None, activation, p)  # type: ignore[no-any-return, no-untyped-call]


class _NormActivateDrop(Function):
    """Batch norm as Ioffe and Szegedy (2015) have it, backward pass included."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor | None,
        bias: Tensor | None,
        norm: nn.BatchNorm1d | None,
        activation: str,
        p: float,
    ) -> Tensor:
        x = x.contiguous()
        part = collectives.share_of(x)
        dropout = _draw(p, part.first)
        coefficients = _identity(x, p) if norm is None else _normalize(x, norm, part.total)
        y = torch.empty_like(x)
        _run(_rows().forward(_kind(x), activation), x, dropout, coefficients, x, y)
        ctx.save_for_backward(x, coefficients)
        ctx.activation, ctx.p, ctx.dropout = activation, p, dropout
        ctx.has_norm, ctx.num_rows = norm is not None, part.total
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor | None, ...]:
        x, coefficients = ctx.saved_tensors
        dy = dy.contiguous()
        arguments = (ctx.dropout, coefficients, x, dy)
        kind, activation, rescale = _kind(x), ctx.activation, 1 / (1 - ctx.p)
        dweight = dbias = None
        if ctx.has_norm:
            sums = _block_sums(x)
            _run(_rows().reduce(kind, activation), x, *arguments, sums)
            own = x.new_empty((2, x.shape[1]), dtype=torch.float64)
            _run(_columns().totals(), x, np.array([rescale]), sums, own)
            numbers = np.array([rescale, float(ctx.num_rows)])
            dweight, dbias = parameters = x.new_empty((2, x.shape[1]), dtype=torch.float32)
            total = _batch_sum(own)
            _run(_columns().gradients(), x, numbers, own, total, coefficients, parameters)
        dx = torch.empty_like(x)
        _run(_rows().backward(kind, activation), x, *arguments, dx)
        return dx, dweight, dbias, None, None, None


def _identity(x: Tensor, p: float) -> Tensor:
    """The loops' coefficients where there is no norm."""
    coefficients = x.new_zeros((7, x.shape[1]), dtype=torch.float32)
    coefficients[1] = 1.0
    coefficients[3] = 1 / (1 - p)
    return coefficients


def _normalize(x: Tensor, norm: nn.BatchNorm1d, num_rows: int) -> Tensor:
    """The loops' coefficients by the batch's moments; updates `norm`'s running ones.

    Differences to the first row are summed, which no mean, however large, makes inexact.
    """
    sums = _block_sums(x)
    _run(_rows().moments(_kind(x)), x, x, sums)
    moments = x.new_empty((2, x.shape[1]), dtype=torch.float64)
    _run(_columns().statistics(_kind(x)), x, sums, x, moments)
    if (part := collectives.share()) is not None:
        moments = torch.stack(batch_moments(moments[0], moments[1], part))
    coefficients = x.new_empty((7, x.shape[1]), dtype=torch.float32)
    assert norm.running_mean is not None
    assert norm.running_var is not None
    assert norm.num_batches_tracked is not None
    numbers = np.array([norm.eps, norm.momentum, float(num_rows)])
    running = norm.running_mean, norm.running_var
    weights = norm.weight.detach(), norm.bias.detach()
    _run(_columns().normalizer(), x, numbers, moments, *weights, *running, coefficients)
    norm.num_batches_tracked.add_(1)
    return coefficients


def _batch_sum(own: Tensor) -> Tensor:
    """The sum over all ranks of what this one has summed over its rows."""
    if collectives.share() is None:
        return own
    total = own.clone()
    collectives.sum_ranks(total)
    return total


def _draw(p: float, first: int) -> _Array:
    """The loops' `dropout` argument, its key drawn by torch's RNG where anything is dropped.

    `first` is the number of the first row in its batch.
    """
    key = int(torch.empty((), dtype=torch.int64).random_()) if p > 0 else 0
    rescale = np.float32(1 / (1 - p)).view(np.uint32)
    words = [key & 0xFFFFFFFF, key >> 32, min(round(p * 2**32), 2**32 - 1), rescale, first]
    return np.array(words, dtype=np.uint32)


def _block_sums(x: Tensor) -> Tensor:
    blocks = -(-len(x) // _rows().BLOCK_ROWS)
    return x.new_empty((blocks, 2, x.shape[1]), dtype=torch.float32)


def _kind(x: Tensor) -> type[np.generic]:
    return _ELEMENTS[x.dtype]


def _run(address: int, x: Tensor, *arguments: Tensor | _Array) -> None:
    """Runs a loop for matrices shaped like x, with its further arguments in order."""
    shape = np.array(x.shape, dtype=np.int64)
    pointers = [a.data_ptr() if isinstance(a, Tensor) else a.ctypes.data for a in arguments]
    openmp.run(address, (shape.ctypes.data, *pointers))
