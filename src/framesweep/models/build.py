"""Builds the network that a `model` config describes."""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from framesweep.config import ModelConfig
from framesweep.errors import ConfigError
from framesweep.kernels.activations import ACTIVATIONS
from framesweep.models.network import ChunkShape, Network, network_class


class NetworkBuilder:
    """Builds the network that a `model` config describes for windows of a given context.

    A builder can be constructed before a corpus is read, and checks the config then. Only the
    sizes of frames and classes are missing to build the network.

    Args:
        config: The `model` group.
        context: Frames to each side of the center frame.

    Raises:
        ConfigError: if a key is out of range, keys contradict each other, or the network does
            not suit the context.
    """

    def __init__(self, config: ModelConfig, context: int) -> None:
        require_activation(config)
        self._class = network_class(config)
        self._class.validate(config, context)
        self._config = config
        self._context = context

    @property
    def chunk_shape(self) -> ChunkShape | None:
        """The chunks that the network is trained on, or None if it is trained on windows."""
        return self._class.chunk_shape(self._config)

    def build(self, feature_dim: int, num_classes: int) -> Network:
        """Return the untrained network on the CPU, its weights drawn by torch's RNG.

        Raises:
            ConfigError: if no network has at most `max_params` parameters.
        """
        model = self._class.from_config(self._config, feature_dim, num_classes, self._context)
        _init_weights(model, self._config.init)
        return model


def require_activation(config: ModelConfig) -> None:
    """Raise ConfigError if there is no such activation."""
    if config.activation not in ACTIVATIONS:
        rule = f"must be one of {' '.join(ACTIVATIONS)}"
        raise ConfigError("model.activation", rule, found=config.activation)


def build_model(
    config: ModelConfig, input_dim: int, num_classes: int, num_frames: int = 1
) -> Network:
    """Return the untrained network that `config` describes, on the CPU.

    Args:
        config: The `model` group.
        input_dim: Values per window, `num_frames` times those of a frame.
        num_classes: Number of phones.
        num_frames: Frames per window, `2*context + 1`.

    Raises:
        ConfigError: as `NetworkBuilder`.
    """
    builder = NetworkBuilder(config, num_frames // 2)
    return builder.build(input_dim // num_frames, num_classes)


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
