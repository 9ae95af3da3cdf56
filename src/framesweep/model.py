"""Networks: a multi-layer perceptron that names the phone in the centre of a window."""

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from framesweep import kernels
from framesweep.config import ModelConfig
from framesweep.layers import layer_dropouts, solve_widths

_ACTIVATIONS: dict[str, type[nn.Module]] = {
    "relu": nn.ReLU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "leaky_relu": nn.LeakyReLU,
}


class BatchNorm(nn.BatchNorm1d):
    """Batch norm that takes a training batch of one frame by its running statistics.

    An epoch's last batch may hold a single frame, which has no variance of its own.
    """

    def forward(self, input: Tensor) -> Tensor:
        if not self.training or len(input) > 1:
            return super().forward(input)
        return F.batch_norm(
            input, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps
        )


class Block(nn.Module):
    """One hidden layer: linear, norm, activation, dropout; (B, in_width) -> (B, width).

    The linear layer has no bias before a batch norm, which would subtract it again.
    """

    def __init__(self, config: ModelConfig, in_width: int, width: int, dropout: float) -> None:
        super().__init__()
        self.linear = nn.Linear(in_width, width, bias=config.norm != "batch")
        self.norm = _norm(config.norm, width)
        self.activation = _ACTIVATIONS[config.activation]()
        self.dropout = nn.Dropout(dropout)
        self.residual = config.residual and in_width == width
        self._activation_name = config.activation

    def forward(self, x: Tensor) -> Tensor:
        y = kernels.linear(x, self.linear)
        if self.training and kernels.available(y):
            y = kernels.norm_activate_drop(y, self.norm, self._activation_name, self.dropout.p)
        else:
            y = self.dropout(self.activation(self.norm(y)))
        return x + y if self.residual else y

    def folded(self, dtype: torch.dtype) -> Callable[[Tensor], Tensor] | None:
        """`forward` in evaluation, until weights change; None where it can't be folded."""
        layer = kernels.fold(self.linear, self.norm, self._activation_name, dtype)
        if layer is None or not self.residual:
            return layer
        return lambda x: layer(x).add_(x)


class MLP(nn.Module):
    """Hidden blocks and a linear output; (B, input_dim) -> (B, num_classes) logits.

    Parameters are named `layers.<i>.linear.weight`, `layers.<i>.norm.weight`, ...,
    `output.weight`, `output.bias`.
    """

    def __init__(
        self, config: ModelConfig, widths: Sequence[int], input_dim: int, num_classes: int
    ) -> None:
        super().__init__()
        self.input_dim = input_dim
        self.widths = tuple(widths)
        sizes = (input_dim, *widths)
        dropouts = layer_dropouts(config, len(widths))
        self.layers = nn.ModuleList(
            Block(config, sizes[i], sizes[i + 1], dropout) for i, dropout in enumerate(dropouts)
        )
        self.output = nn.Linear(sizes[-1], num_classes)

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = layer(x)
        return kernels.linear(x, self.output)

    def folded(self, dtype: torch.dtype) -> Callable[[Tensor], Tensor]:
        """The network in evaluation, until its weights change.

        Where each layer folds into one product, in `dtype`, that is faster; else it is the
        module itself, to be called under autocast.
        """
        folded = [layer.folded(dtype) for layer in self.layers]  # type: ignore[operator]
        folded.append(kernels.fold(self.output, None, None, dtype))
        layers = [layer for layer in folded if layer is not None]
        if self.training or len(layers) < len(folded):
            return self

        def forward(x: Tensor) -> Tensor:
            for layer in layers:
                x = layer(x)
            return x

        return forward


def build_model(config: ModelConfig, input_dim: int, num_classes: int) -> MLP:
    """Build the network that `config` describes, on the CPU, its weights drawn by torch's RNG.

    Args:
        config: the `model` group.
        input_dim: values in a window, (2*context+1) * mel bins.
        num_classes: number of phones.

    Raises:
        ConfigError: a key out of range, keys that contradict each other, or a
            `max_params` that no network can keep to.
    """
    widths = solve_widths(config, input_dim, num_classes)
    model = MLP(config, widths, input_dim, num_classes)
    _init_weights(model, config.init)
    return model


def _norm(name: str, width: int) -> nn.Module:
    if name == "batch":
        return BatchNorm(width)
    return nn.LayerNorm(width) if name == "layer" else nn.Identity()


@torch.no_grad()
def _init_weights(model: MLP, init: str) -> None:
    """Draw weights anew, scaled for ReLU and its kin before the output; biases become zero."""
    if init == "default":
        return
    draws: dict[str, Callable[..., Tensor]] = {
        "kaiming": _kaiming_normal,
        "xavier": nn.init.xavier_uniform_,
        "orthogonal": nn.init.orthogonal_,
    }
    draw = draws[init]
    for module in model.modules():
        if isinstance(module, nn.Linear):
            draw(module.weight, gain=1.0 if module is model.output else math.sqrt(2.0))
            if module.bias is not None:
                nn.init.zeros_(module.bias)


def _kaiming_normal(weight: Tensor, gain: float) -> Tensor:
    """Normal weights of standard deviation gain / sqrt(fan_in) (He et al., 2015)."""
    return nn.init.normal_(weight, std=gain / math.sqrt(weight.shape[1]))
