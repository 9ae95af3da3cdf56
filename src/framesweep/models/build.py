"""Builds the network that a `model` config describes."""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from framesweep.config import ModelConfig
from framesweep.errors import ConfigError
from framesweep.kernels.activations import ACTIVATIONS
from framesweep.models.network import Network, network_class


def build_model(
    config: ModelConfig, input_dim: int, num_classes: int, num_frames: int = 1
) -> Network:
    """Return the network that `config` describes, on the CPU, weights drawn by torch's RNG.

    Args:
        config: The `model` group.
        input_dim: Values per window, `num_frames` times those of a frame.
        num_classes: Number of phones.
        num_frames: Frames per window, `2*context + 1`.

    Raises:
        ConfigError: if a key is out of range, keys contradict each other, or no network keeps
            to `max_params`.
    """
    context = num_frames // 2
    validate_model(config, context)
    feature_dim = input_dim // num_frames
    model = network_class(config).from_config(config, feature_dim, num_classes, context)
    _init_weights(model, config.init)
    return model


def validate_model(config: ModelConfig, context: int) -> None:
    """Check the `model` group for windows of `context` frames to each side.

    Raises:
        ConfigError: naming the key, its rule, the value found and the fix.
    """
    if config.activation not in ACTIVATIONS:
        rule = f"must be one of {' '.join(ACTIVATIONS)}"
        raise ConfigError("model.activation", rule, found=config.activation)
    network_class(config).validate(config, context)


@torch.no_grad()
def _init_weights(model: Network, init: str) -> None:
    """Draw the weights of linear layers anew and set their biases to zero.

    Hidden layers are scaled for ReLU and similar activations, which halve the variance.
    """
    if init == "default":
        return
    draws: dict[str, Callable[..., Tensor]] = {
        "kaiming": _kaiming_normal,
        "xavier": nn.init.xavier_uniform_,
        "orthogonal": nn.init.orthogonal_,
    }
    draw = draws[init]
    output = getattr(model, "output", None)
    for module in model.modules():
        if isinstance(module, nn.Linear):
            draw(module.weight, gain=1.0 if module is output else math.sqrt(2.0))
            if module.bias is not None:
                nn.init.zeros_(module.bias)


def _kaiming_normal(weight: Tensor, gain: float) -> Tensor:
    """Draw normal weights of standard deviation gain / sqrt(fan_in) (He et al., 2015)."""
    return nn.init.normal_(weight, std=gain / math.sqrt(weight.shape[1]))
