"""Networks: a multi-layer perceptron that names the phone in the centre of a window."""

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from framesweep import kernels
from framesweep.config import ModelConfig
from framesweep.errors import ConfigError
from framesweep.widths import MAX_WIDTH, count_params, shape_widths, widest_within

MAX_DEPTH = 100
"""Hidden layers a network may have."""

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
        dropouts = _dropouts(config, len(widths))
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


def solve_widths(config: ModelConfig, input_dim: int, num_classes: int) -> tuple[int, ...]:
    """Units of each hidden layer: as listed, by shape, or the widest within `max_params`.

    Raises:
        ConfigError: as `build_model`.
    """
    check(config)
    if config.widths is not None:
        return tuple(config.widths)
    shape, depth, limit = config.shape, config.depth or 0, config.max_params or 0
    if config.width is not None:
        return shape_widths(shape, config.width, depth)
    width = widest_within(limit, shape, depth, input_dim, num_classes, config.norm)
    if not 1 <= width < MAX_WIDTH:
        least, most = (
            count_params(shape_widths(shape, w, depth), input_dim, num_classes, config.norm)
            for w in (1, MAX_WIDTH)
        )
        raise ConfigError(
            "model.max_params",
            f"must be from {least:,} to below {most:,} for {depth} hidden layers",
            found=config.max_params,
            fix="Change it, model.depth or data.context.",
        )
    return shape_widths(shape, width, depth)


def check(config: ModelConfig) -> None:
    """Check the rules of the `model` group that its types cannot express.

    Raises:
        ConfigError: naming the key, its value and what to do.
    """
    if config.widths is not None:
        _check_listed(config, config.widths)
        num_layers = len(config.widths)
    else:
        num_layers = _check_shaped(config)
    for dropout in _dropouts(config, num_layers):
        if not 0 <= dropout < 1:
            raise ConfigError("model.dropout", "must be at least 0 and below 1", found=dropout)
    if isinstance(config.dropout, list) and len(config.dropout) != num_layers:
        raise ConfigError(
            "model.dropout",
            f"must list one number a hidden layer, here {num_layers}",
            found=config.dropout,
            fix="Or give a single number for all.",
        )


def _check_listed(config: ModelConfig, widths: list[int]) -> None:
    _check_range("model.widths, its length,", len(widths), 0, MAX_DEPTH)
    for width in widths:
        _check_range("model.widths", width, 1, MAX_WIDTH)
    for key, default in {
        "width": None,
        "depth": None,
        "max_params": None,
        "shape": "cylinder",
    }.items():
        if (value := getattr(config, key)) != default:
            raise ConfigError(
                f"model.{key}",
                f"cannot be combined with model.widths={widths}",
                found=value,
                fix="To list widths take model=base; for a shape or a budget take "
                "model=pyramid, or add model.widths=null.",
            )


def _check_shaped(config: ModelConfig) -> int:
    if config.depth is None:
        raise ConfigError(
            "model.depth",
            "must be given where model.widths is null",
            fix="Add model.depth=4 or so, or list model.widths.",
        )
    _check_range("model.depth", config.depth, 1, MAX_DEPTH)
    if config.width is not None:
        _check_range("model.width", config.width, 1, MAX_WIDTH)
    if config.width is None and config.max_params is None:
        raise ConfigError(
            "model.width",
            "must be given where model.widths is null",
            fix="Add model.width=1024 or model.max_params=5e6, or list model.widths.",
        )
    if config.width is not None and config.max_params is not None:
        raise ConfigError(
            "model.max_params",
            f"cannot be combined with model.width={config.width}",
            found=config.max_params,
            fix="Add model.width=null to solve for the width, or model.max_params=null.",
        )
    return config.depth


def _check_range(key: str, value: int, low: int, high: int) -> None:
    if not low <= value <= high:
        raise ConfigError(key, f"must be between {low:,} and {high:,}", found=value)


def _norm(name: str, width: int) -> nn.Module:
    if name == "batch":
        return BatchNorm(width)
    return nn.LayerNorm(width) if name == "layer" else nn.Identity()


def _dropouts(config: ModelConfig, num_layers: int) -> list[float]:
    dropout = config.dropout
    return dropout if isinstance(dropout, list) else [dropout] * num_layers


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
