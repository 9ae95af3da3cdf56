"""Options of the multi-layer perceptron."""

from dataclasses import dataclass
from typing import Literal

from framesweep.config.network import ModelConfig
from framesweep.config.registry import option
from framesweep.config.setting import setting


@option("model", "mlp", built_by="framesweep.models.mlp:MLP")
@dataclass(kw_only=True, slots=True)
class MlpConfig(ModelConfig):
    """A multi-layer perceptron on the whole window, with optional convolutions before it."""

    widths: list[int] | None = setting(None, unit="units")
    """Width of each hidden layer; [] means no hidden layer. null takes the widths from shape,
    depth, and width or max_params."""
    shape: Literal["cylinder", "pyramid", "inverse", "diamond"] = "cylinder"
    """Widths from input to output: equal, decreasing to a quarter, increasing from a quarter,
    or widest in the middle."""
    width: int | None = setting(None, unit="units")
    """Width of the widest hidden layer."""
    depth: int | None = setting(None, unit="layers")
    """Number of hidden layers."""
    max_params: float | None = setting(None, unit="parameters")
    """Choose the widest network of this shape and depth with at most this many parameters,
    instead of setting width."""
    residual: bool = False
    """Add the input of a hidden layer to its output if both have the same width."""
    conv_channels: list[int] = setting([], unit="channels")
    """Output channels of each convolution over time before the hidden layers; [] means none."""
    conv_kernel: int = setting(5, unit="frames")
    """Kernel size of the convolutions, in frames or in positions of the convolution before, at
    most all of them."""
    conv_stride: int = setting(2, unit="frames")
    """Stride of the convolutions, in frames or in positions of the convolution before."""
    conv_dropout: float = setting(0.0, unit="share")
    """Dropout probability after each convolution, at least 0 and below 1."""
