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

from framesweep import distributed
from framesweep.kernels import products, threads
from framesweep.kernels.norms import batch_moments, track
from framesweep.kernels.products import product

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
        and distributed.share_of(x).total > 1
        and not torch.compiler.is_compiling()
        and _rows() is not None
    )


@cache
def _rows() -> ModuleType | None:
    """The compiled loops; None where numba, GNU OpenMP or a place to keep them is missing."""
    if threads.library() is None:
        return None
    try:
        from framesweep.kernels import rows
    except (ImportError, RuntimeError):  # the latter where numba may write nowhere
        return None
    return rows


def linear(x: Tensor, layer: nn.Linear) -> Tensor:
    """What `layer` does with x (B, K); in float32 by `products.product`."""
    by_torch = (
        x.device.type != "cpu"
        or x.dtype != torch.float32
        or len(x) == 0
        or torch.is_autocast_enabled("cpu")
        or torch.compiler.is_compiling()
        or not products.available()
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
        part = distributed.share_of(x)
        coefficients = x.new_zeros((6, x.shape[1]), dtype=torch.float32)
        center, scale, shift = coefficients[:3]
        rstd: Tensor | float = 1.0
        if norm is not None and weight is not None and bias is not None:
            mean, variance = _moments(x)
            track(norm, mean, variance, part.total)
            rstd = (variance + norm.eps).rsqrt()
            center.copy_(mean)
            torch.mul(rstd, weight, out=scale)
            shift.copy_(bias)
        else:
            scale.fill_(1.0)
        dropout = _draw(p, part.first)
        y = torch.empty_like(x)
        _run("forward", x, activation, dropout, coefficients, x, y)
        ctx.save_for_backward(x, coefficients)
        ctx.rstd, ctx.activation, ctx.p, ctx.dropout = rstd, activation, p, dropout
        ctx.num_rows = part.total
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor | None, ...]:
        x, coefficients = ctx.saved_tensors
        dy = dy.contiguous()
        scale, a, b, c = (coefficients[i] for i in (1, 3, 4, 5))
        torch.mul(scale, 1 / (1 - ctx.p), out=a)
        dweight = dbias = None
        if isinstance(ctx.rstd, Tensor):
            sums = _block_sums(x)
            _run("reduce", x, ctx.activation, ctx.dropout, coefficients, x, dy, sums)
            own = sums.sum(dim=0, dtype=torch.float64) / (1 - ctx.p)
            dbias, product = own.float()
            dweight = product * ctx.rstd
            total_dbias, total_product = _batch_sum(own).float()
            b.copy_(total_product * ctx.rstd * scale * ctx.rstd / -ctx.num_rows)
            c.copy_(total_dbias * scale / -ctx.num_rows)
        dx = torch.empty_like(x)
        _run("backward", x, ctx.activation, ctx.dropout, coefficients, x, dy, dx)
        return dx, dweight, dbias, None, None, None


def _moments(x: Tensor) -> tuple[Tensor, Tensor]:
    """(N,) float32 mean and biased variance of the batch that x (B, N) is, or shares in.

    Differences to the first row are summed, which no mean, however large, makes inexact.
    """
    sums = _block_sums(x)
    _run("moments", x, None, x, sums)
    offset, square = sums.sum(dim=0, dtype=torch.float64) / max(len(x), 1)
    variance = (square - offset.square()).clamp_(min=0.0)
    mean = x[:1].sum(dim=0) + offset
    if (part := distributed.share()) is not None:
        mean, variance = batch_moments(mean, variance, part)
    return mean.float(), variance.float()


def _batch_sum(own: Tensor) -> Tensor:
    """The sum over all ranks of what this one has summed over its rows."""
    if distributed.share() is None:
        return own
    total = own.clone()
    distributed.sum_ranks(total)
    return total


def _draw(p: float, first: int) -> _Array:
    """The loops' `dropout` argument, its key drawn by torch's RNG where anything is dropped.

    `first` is the number of the first row in its batch.
    """
    key = int(torch.empty((), dtype=torch.int64).random_()) if p > 0 else 0
    rescale = np.float32(1 / (1 - p)).view(np.uint32)
    words = [key & 0xFFFFFFFF, key >> 32, round(p * 2**32), rescale, first]
    return np.array(words, dtype=np.uint32)


def _block_sums(x: Tensor) -> Tensor:
    rows = _rows()
    assert rows is not None
    blocks = -(-len(x) // rows.BLOCK_ROWS)
    return x.new_empty((blocks, 2, x.shape[1]), dtype=torch.float32)


def _run(name: str, x: Tensor, activation: str | None, *arguments: Tensor | _Array) -> None:
    """Runs the loop `name` for matrices shaped like x, with its further arguments in order."""
    kind = _ELEMENTS[x.dtype]
    loop = getattr(_rows(), name)
    shape = np.array(x.shape, dtype=np.int64)
    pointers = [a.data_ptr() if isinstance(a, Tensor) else a.ctypes.data for a in arguments]
    address = loop(kind) if activation is None else loop(kind, activation)
    threads.run(address, (shape.ctypes.data, *pointers))
