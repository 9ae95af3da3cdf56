"""Hidden layers as evaluation needs them: batch norm folded into the linear layer."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from framesweep.kernels.matmul import available, product


def fold(
    linear: nn.Linear, norm: nn.Module | None, activation: str | None, dtype: torch.dtype
) -> Callable[[Tensor], Tensor] | None:
    """activation(norm(linear(x))) of (B, K) `dtype`, in one pass, until weights change.

    In evaluation a batch norm is a scale and a shift a column, which the linear layer's
    weight and bias can take over.

    Returns:
        The function; None where it cannot be had (another norm, device or build of torch).
    """
    weight: Tensor = linear.weight
    bias: Tensor | None = linear.bias
    if weight.device.type != "cpu" or not available():
        return None
    if isinstance(norm, nn.BatchNorm1d):
        assert norm.running_mean is not None
        assert norm.running_var is not None
        scale = norm.weight / (norm.running_var + norm.eps).sqrt()
        shift = norm.bias - norm.running_mean * scale
        weight = weight * scale.unsqueeze(1)
        bias = shift if bias is None else shift + bias * scale
    elif norm is not None and not isinstance(norm, nn.Identity):
        return None
    weight = weight.detach().to(dtype)
    bias = None if bias is None else bias.detach().to(dtype)
    return lambda x: product(x.to(dtype), weight, bias, activation)
