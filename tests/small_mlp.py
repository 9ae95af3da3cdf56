"""Small perceptrons, with and without convolutions, and windows for them."""

from typing import Any

import torch

from framesweep.config import MlpConfig
from framesweep.models.build import build_model

INPUT_DIM, NUM_CLASSES = 24, 5


def build(input_dim: int = INPUT_DIM, **keys: Any) -> Any:
    torch.manual_seed(0)
    settings: dict[str, Any] = {"widths": [16, 16, 8], "dropout": 0.0} | keys
    return build_model(MlpConfig(**settings), input_dim, NUM_CLASSES)


def windows(num: int = 32, dim: int = INPUT_DIM) -> torch.Tensor:
    return torch.randn(num, dim, generator=torch.Generator().manual_seed(1))


FRAMES = 21
CONVS: dict[str, Any] = {"conv_channels": [6, 7], "conv_kernel": 4, "conv_stride": 3}


def convolved(**keys: Any) -> Any:
    torch.manual_seed(0)
    settings: dict[str, Any] = {"widths": [16], "dropout": 0.0} | CONVS | keys
    return build_model(MlpConfig(**settings), FRAMES * 5, NUM_CLASSES, FRAMES)
