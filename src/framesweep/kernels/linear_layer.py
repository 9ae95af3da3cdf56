"""Linear layers, whose three matrix multiplications per step are done by oneDNN."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from framesweep.kernels import matmul
from framesweep.kernels.matmul import multiply


def linear(x: Tensor, layer: nn.Linear) -> Tensor:
    """Apply a linear layer to x (B, K); in float32 on a CPU by `matmul.multiply`."""
    by_torch = (
        x.device.type != "cpu"
        or x.dtype != torch.float32
        or torch.is_autocast_enabled("cpu")
        # Before len(x), which a tracer would take as a constant.
        or torch.compiler.is_compiling()
        or torch._C._is_tracing()
        or len(x) == 0
        or not matmul.available()
    )
    if by_torch:
        y: Tensor = layer(x)
        return y
    return _Linear.apply(x, layer.weight, layer.bias)  # type: ignore[no-any-return, no-untyped-call]


class _Linear(Function):
    """x @ weight.t() + bias, with all three products of both passes by oneDNN."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(x, weight)
        return multiply(x, weight, bias)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        need_x, need_weight, need_bias = ctx.needs_input_grad
        return (
            multiply(dy, weight.t()) if need_x else None,
            multiply(dy.t(), x.t()) if need_weight else None,
            dy.sum(dim=0) if need_bias else None,
        )
