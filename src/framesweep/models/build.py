"""Builds the network that a `model` config describes."""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from framesweep.config import MlpConfig, ModelConfig, TdnnConfig
from framesweep.models import sizes, tdnn
from framesweep.models.mlp import MLP
from framesweep.models.sizes import solve_widths
from framesweep.models.tdnn import Tdnn

Network = MLP | Tdnn


def build_model(
    config: ModelConfig, input_dim: int, num_classes: int, num_frames: int = 1
) -> Network:
    """Build the network that `config` describes, on the CPU, its weights drawn by torch's RNG.

    Args:
        config: the `model` group.
        input_dim: values in a window, (2*context+1) * mel bins.
        num_classes: number of phones.
        num_frames: frames in a window, along which convolutions slide.

    Raises:
        ConfigError: a key out of range, keys that contradict each other, or a
            `max_params` that no network can keep to.
    """
    check(config, num_frames // 2)
    model: Network
    match config:
        case MlpConfig():
            widths = solve_widths(config, input_dim, num_classes, num_frames)
            model = MLP(config, widths, input_dim, num_classes, num_frames)
        case TdnnConfig():
            model = Tdnn(config, input_dim // num_frames, num_classes, num_frames // 2)
        case _:
            raise TypeError(f"no network is built from {type(config).__name__}")
    _init_weights(model, config.init)
    return model


def check(config: ModelConfig, context: int) -> None:
    """Check the rules of the `model` group for windows of so many frames to each side.

    Raises:
        ConfigError: naming the key, its value and what to do.
    """
    match config:
        case MlpConfig():
            num_frames = 2 * context + 1
            sizes.convolutions(config, num_frames, num_frames)
        case TdnnConfig():
            tdnn.check(config)
            tdnn.check_reach(config, context)


@torch.no_grad()
def _init_weights(model: Network, init: str) -> None:
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
