"""Options of the multi-layer perceptron."""

from dataclasses import dataclass, field
from typing import Literal

from framesweep.config.network import ModelConfig
from framesweep.config.registry import option


@option("model", "mlp")
@dataclass(kw_only=True, slots=True)
class MlpConfig(ModelConfig):
    """A multi-layer perceptron, which sees a window whole."""

    widths: list[int] | None = None
    """Units of each hidden layer, [] for none; or null, and shape, width and depth say."""
    shape: Literal["cylinder", "pyramid", "inverse", "diamond"] = "cylinder"
    """Widths from input to output: equal, falling to a quarter, rising, or widest amid."""
    width: int | None = None
    """Units of the widest layer."""
    depth: int | None = None
    """Number of hidden layers."""
    max_params: float | None = None
    """With shape and depth and no width: the widest network with at most so many parameters."""
    residual: bool = False
    """Add a layer's input to its output where their widths are equal."""
    conv_channels: list[int] = field(default_factory=list)
    """Channels of convolutions over time before the hidden layers; [] for none."""
    conv_kernel: int = 5
    """Frames that a convolution sees at once; after the first, steps of the one before it."""
    conv_stride: int = 2
    """Frames, or steps, from one place where a convolution looks to the next."""
    conv_dropout: float = 0.0
    """Share of the convolutions' outputs dropped, below 1."""
