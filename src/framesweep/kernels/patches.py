"""The gradient of patches: frames that are read several times, by overlapping patches."""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable


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


def take_patches(x: Tensor, shape: PatchShape, copy: Callable[[Tensor], Tensor]) -> Tensor:
    """Return `copy(x)`, the patches of x as (N * num_patches, kernel * C).

    On a CPU the gradient is added up in one tensor. Torch's own would first be spread over
    zeros of the size of x, once per frame of a patch, before these are added up.

    Args:
        x: (N, T, C).
        shape: The patches that `copy` takes.
        copy: Takes the patches by operations of torch.
    """
    by_torch = (
        x.device.type != "cpu"
        or not (torch.is_grad_enabled() and x.requires_grad)
        or torch.compiler.is_compiling()
        or torch._C._is_tracing()
    )
    if by_torch:
        return copy(x)
    patches: Tensor = _TakePatches.apply(x, shape, copy)  # type: ignore[no-untyped-call]
    return patches


class _TakePatches(Function):
    """Patches of (N, T, C), and the sum of their gradients by frame."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, shape: PatchShape, copy: Callable[[Tensor], Tensor]
    ) -> Tensor:
        ctx.shape, ctx.size = shape, x.shape
        return copy(x)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor | None, ...]:
        shape: PatchShape = ctx.shape
        num_channels = ctx.size[2]
        dpatches = dy.reshape(ctx.size[0], shape.num_patches, shape.kernel, num_channels)
        dx = dy.new_zeros(ctx.size)
        # The last first, as torch's engine adds them up.
        for k in reversed(range(shape.kernel)):
            dx[:, shape.frames(k)].add_(dpatches[:, :, k])
        return dx, None, None
