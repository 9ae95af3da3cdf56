"""Patches: frames that are read several times, by overlapping slices, and their gradient."""

from collections.abc import Callable
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from framesweep.kernels import layers, openmp


class PatchShape(NamedTuple):
    """Which frames of (N, T, C) the patches read: patch p has the frames p * stride + first +
    k * dilation for k below `kernel`.
    """

    kernel: int
    dilation: int
    stride: int
    num_patches: int
    first: int = 0

    def frames(self, k: int) -> slice:
        """Return the frames that are the k-th of their patch."""
        start = self.first + k * self.dilation
        return slice(start, start + (self.num_patches - 1) * self.stride + 1, self.stride)


def take_patches(
    x: Tensor, shape: PatchShape, copy: Callable[[Tensor], Tensor] | None = None
) -> Tensor:
    """Return the patches of x as (N * num_patches, kernel * C).

    On a CPU a loop copies them, and another adds up their gradients in one pass. Torch's own
    gradient would first be spread over zeros of the size of x, once per frame of a patch,
    before these are added up.

    Args:
        x: (N, T, C).
        shape: The patches.
        copy: Takes the patches by operations of torch, where there are no loops; by default
            it joins slices of x.
    """
    # The size last: a tracer would take it as a constant.
    is_traced = torch.compiler.is_compiling() or torch._C._is_tracing()
    if is_traced or not layers.has_loops(x) or x.numel() == 0:
        return copy(x) if copy else _join_slices(x, shape)
    if not (torch.is_grad_enabled() and x.requires_grad):
        return _copy(x, shape)
    patches: Tensor = _TakePatches.apply(x, shape)  # type: ignore[no-untyped-call]
    return patches


def _join_slices(x: Tensor, shape: PatchShape) -> Tensor:
    seen = [x[:, shape.frames(k)] for k in range(shape.kernel)]
    return torch.cat(seen, dim=2).flatten(0, 1)


class _TakePatches(Function):
    """Patches of (N, T, C), and the sum of their gradients by frame."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, shape: PatchShape) -> Tensor:
        ctx.shape, ctx.size = shape, x.shape
        return _copy(x, shape)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor | None, ...]:
        dy = dy.contiguous()
        dx = dy.new_empty(ctx.size)
        address = _loops().compile_sum(layers.element(dy))
        sizes = _list_sizes(ctx.size, ctx.shape)
        openmp.run_on_threads(address, (sizes.ctypes.data, dy.data_ptr(), dx.data_ptr()))
        return dx, None


def _copy(x: Tensor, shape: PatchShape) -> Tensor:
    """Return the (N * num_patches, kernel * C) patches of x (N, T, C)."""
    x = x.detach()
    if x.stride(2) != 1:
        x = x.contiguous()
    num_channels = x.shape[2]
    patches = x.new_empty((len(x) * shape.num_patches, shape.kernel * num_channels))
    strides = np.array(x.stride()[:2], dtype=np.int64)
    sizes = _list_sizes(x.shape, shape)
    if shape.dilation == 1 and x.stride(1) == num_channels:
        # The frames of a patch are neighbors in memory: it is copied as one.
        sizes[2:4] = num_channels * shape.kernel, 1
    address = _loops().compile_copy(layers.element(x))
    pointers = sizes.ctypes.data, strides.ctypes.data, x.data_ptr(), patches.data_ptr()
    openmp.run_on_threads(address, pointers)
    return patches


def _list_sizes(size: torch.Size, shape: PatchShape) -> npt.NDArray[np.int64]:
    """Return the sizes that the loops take, for x of a size (N, T, C)."""
    return np.array([*size, *shape], dtype=np.int64)


# Numba takes half a second to import, and is needed only once a loop runs.


def _loops() -> ModuleType:
    from framesweep.kernels.loops import patches

    return patches
