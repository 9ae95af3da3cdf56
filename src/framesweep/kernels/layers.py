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

from framesweep.distributed.collectives import Shard
from framesweep.kernels import matmul, openmp
from framesweep.kernels.activations import ACTIVATIONS, log_torch_instead
from framesweep.kernels.matmul import product
from framesweep.kernels.norms import batch_moments

_Array = npt.NDArray[Any]
_ELEMENTS: dict[torch.dtype, type[np.generic]] = {
    torch.float32: np.float32,
    torch.bfloat16: np.uint16,
}


def available(x: Tensor, shard: Shard | None = None) -> bool:
    """Whether the functions of this package can take over for an input like x (B, K).

    `shard` says which rows of the batch x is; None stands for a whole batch.
    """
    return (
        x.device.type == "cpu"
        and x.dtype in _ELEMENTS
        and (len(x) if shard is None else shard.total_rows) > 1
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


def norm_activate_drop(
    x: Tensor, norm: nn.Module, activation: str, p: float, shard: Shard | None = None
) -> Tensor:
    """Dropout(activation(norm(x))) in training, of x (B, N); dropout draws on torch's RNG.

    Args:
        x: float32 or bfloat16.
        norm: a batch norm over N, whose running statistics are brought up to date, or any
            other module, which is applied as it is.
        activation: its name in ACTIVATIONS; it must have a `loop`.
        p: share of elements dropped; the others are scaled by 1 / (1 - p).
        shard: which rows of the batch x is; None where it is the whole batch.
    """
    shard = shard or Shard.whole(len(x))
    if isinstance(norm, nn.BatchNorm1d):
        return _NormActivateDrop.apply(x, norm.weight, norm.bias, norm, activation, p, shard)  # type: ignore[no-any-return, no-untyped-call]
    return _NormActivateDrop.apply(norm(x), None, None, None, activation, p, shard)  # type: ignore[no-any-return, no-untyped-call]


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
        shard: Shard,
    ) -> Tensor:
        x = x.contiguous()
        dropout = _draw(p, shard.first)
        coefficients = _identity(x, p) if norm is None else _normalize(x, norm, shard)
        y = torch.empty_like(x)
        _run(_rows().forward(_kind(x), activation), x, dropout, coefficients, x, y)
        ctx.save_for_backward(x, coefficients)
        ctx.activation, ctx.p, ctx.dropout = activation, p, dropout
        ctx.has_norm, ctx.shard = norm is not None, shard
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
            numbers = np.array([rescale, float(ctx.shard.total_rows)])
            dweight, dbias = parameters = x.new_empty((2, x.shape[1]), dtype=torch.float32)
            total = _batch_sum(own, ctx.shard)
            _run(_columns().gradients(), x, numbers, own, total, coefficients, parameters)
        dx = torch.empty_like(x)
        _run(_rows().backward(kind, activation), x, *arguments, dx)
        return dx, dweight, dbias, None, None, None, None


def _identity(x: Tensor, p: float) -> Tensor:
    """The loops' coefficients where there is no norm."""
    coefficients = x.new_zeros((7, x.shape[1]), dtype=torch.float32)
    coefficients[1] = 1.0
    coefficients[3] = 1 / (1 - p)
    return coefficients


def _normalize(x: Tensor, norm: nn.BatchNorm1d, shard: Shard) -> Tensor:
    """The loops' coefficients by the batch's moments; updates `norm`'s running ones.

    Differences to the first row are summed, which no mean, however large, makes inexact.
    """
    sums = _block_sums(x)
    _run(_rows().moments(_kind(x)), x, x, sums)
    moments = x.new_empty((2, x.shape[1]), dtype=torch.float64)
    _run(_columns().statistics(_kind(x)), x, sums, x, moments)
    if shard.process_group.size > 1:
        moments = torch.stack(batch_moments(moments[0], moments[1], shard))
    coefficients = x.new_empty((7, x.shape[1]), dtype=torch.float32)
    assert norm.running_mean is not None
    assert norm.running_var is not None
    assert norm.num_batches_tracked is not None
    numbers = np.array([norm.eps, norm.momentum, float(shard.total_rows)])
    running = norm.running_mean, norm.running_var
    weights = norm.weight.detach(), norm.bias.detach()
    _run(_columns().normalizer(), x, numbers, moments, *weights, *running, coefficients)
    norm.num_batches_tracked.add_(1)
    return coefficients


def _batch_sum(own: Tensor, shard: Shard) -> Tensor:
    """Return the sum over all ranks of what this one has summed over its rows."""
    if shard.process_group.size == 1:
        return own
    total = own.clone()
    shard.process_group.all_reduce_sum(total)
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
