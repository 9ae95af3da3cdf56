"""Linear layers, whose three matrix multiplications per step are each done by the fastest."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from framesweep.kernels.backends import MATMULS, ONEDNN, TORCH, Backends, get_backends
from framesweep.kernels.matmul import multiply


def linear(x: Tensor, layer: nn.Linear) -> Tensor:
    """Apply a linear layer to x (B, K); on a CPU by the backends that were set for it."""
    by_torch = (
        x.device.type != "cpu"
        # Before len(x), which a tracer would take as a constant.
        or torch.compiler.is_compiling()
        or torch._C._is_tracing()
        or len(x) == 0
    )
    if by_torch:
        y: Tensor = layer(x)
        return y
    dtype = torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else x.dtype
    backends = get_backends(layer, dtype)
    if backends is None or set(backends) == {TORCH}:
        y = layer(x)
        return y
    bias = None if layer.bias is None else layer.bias.to(dtype)
    return _Linear.apply(x.to(dtype), layer.weight.to(dtype), bias, backends)  # type: ignore[no-any-return, no-untyped-call]


class _Linear(Function):
    """x @ weight.t() + bias, with each product of both passes by its own implementation."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, backends: Backends
    ) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.backends = backends
        if backends.forward == ONEDNN:
            return multiply(x, weight, bias)
        return F.linear(x, weight, bias)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        backends: Backends = ctx.backends
        need_x, need_weight, need_bias, _ = ctx.needs_input_grad
        return (
            MATMULS[backends.input_gradient](dy, weight.t()) if need_x else None,
            MATMULS[backends.weight_gradient](dy.t(), x.t()) if need_weight else None,
            dy.sum(dim=0) if need_bias else None,
            None,
        )
