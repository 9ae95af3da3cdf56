"""Layers fused for evaluation: batch norm into the weights, the activation into the pass."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_linear_bn_weights

from framesweep.kernels.activations import ACTIVATIONS, log_torch_instead
from framesweep.kernels.matmul import available, multiply


def fuse_linear(
    linear: nn.Linear, norm: nn.Module | None, activation: str | None, dtype: torch.dtype
) -> Callable[[Tensor], Tensor] | None:
    """Return the evaluation of activation(norm(linear(x))) in one pass, or None.

    In evaluation a batch norm scales and shifts each column by constants, which the weight
    and the bias of the linear layer can contain. The function holds copies of them, so it is
    valid until the weights change.

    Args:
        linear: The linear layer.
        norm: What follows it: a batch norm, nn.Identity, or None. Others can't be fused.
        activation: Its name in ACTIVATIONS, or None for no activation.
        dtype: The type to compute in, float32 or bfloat16.

    Returns:
        A function of (B, in_features) to (B, out_features); None if torch's modules have to
        do it: on another device, or for a norm or activation that can't be fused.
    """
    weight: Tensor = linear.weight
    bias: Tensor | None = linear.bias
    if weight.device.type != "cpu" or not available():
        return None
    post_op = None if activation is None else ACTIVATIONS[activation].post_op
    if activation is not None and post_op is None:
        log_torch_instead(f"model.activation={activation}", "evaluation")
        return None
    if isinstance(norm, nn.BatchNorm1d):
        assert norm.running_mean is not None
        assert norm.running_var is not None
        statistics = norm.running_mean, norm.running_var, norm.eps
        weight, bias = fuse_linear_bn_weights(weight, bias, *statistics, norm.weight, norm.bias)
    elif norm is not None and not isinstance(norm, nn.Identity):
        log_torch_instead(type(norm).__name__, "evaluation")
        return None
    weight = weight.detach().to(dtype)
    bias = None if bias is None else bias.detach().to(dtype)
    return lambda x: multiply(x.to(dtype), weight, bias, post_op)
