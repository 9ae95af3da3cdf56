"""The multi-layer perceptron, optionally preceded by convolutions over time."""

from collections.abc import Callable, Sequence
from typing import Self

import torch
from torch import Tensor, nn

from framesweep import kernels
from framesweep.config.networks.mlp import MlpConfig
from framesweep.distributed.collectives import Shard
from framesweep.kernels.patches import PatchShape, take_patches
from framesweep.models.layers import Block
from framesweep.models.network import Network
from framesweep.models.sizes import (
    Convolution,
    list_dropouts,
    size_convolutions,
    solve_widths,
    validate_sizes,
)


class ConvBlock(nn.Module):
    """A block that slides over time; (B, in_frames * in_width) -> (B, frames * width).

    All positions share its weights and the statistics of its norm, as in a time-delay network
    (Waibel et al., 1989), so that it recognizes a part of a phone wherever in the window it is.
    """

    def __init__(self, config: MlpConfig, size: Convolution) -> None:
        super().__init__()
        self.size = size
        self.block = Block(config, size.patch_dim, size.width, config.conv_dropout)

    def forward(self, x: Tensor, shard: Shard | None = None) -> Tensor:
        patches = None if shard is None else shard.expand(self.size.frames)
        y: Tensor = self.block(self._patches(x), patches)
        return y.view(x.shape[0], self.size.output_dim)

    def fused_eval(self, dtype: torch.dtype) -> Callable[[Tensor], Tensor] | None:
        """Return a faster `forward` for evaluation, or None, as `Block.fused_eval`."""
        block = self.block.fused_eval(dtype)
        if block is None:
            return None
        return lambda x: block(self._patches(x)).view(x.shape[0], self.size.output_dim)

    def _patches(self, x: Tensor) -> Tensor:
        """Return (B * frames, patch_dim): what the block sees at each position."""
        size = self.size
        frames = x.reshape(x.shape[0], size.in_frames, size.in_width)
        shape = PatchShape(size.kernel, 1, size.stride, size.frames, size.first)
        return take_patches(frames, shape, self._copy_patches)

    def _copy_patches(self, x: Tensor) -> Tensor:
        size = self.size
        seen = x.flatten(1)[:, size.first * size.in_width :]
        # The frames of a window are neighbors in memory, so that a convolution over time is a
        # matrix product with overlapping slices of its rows.
        patches = seen.unfold(1, size.patch_dim, size.stride * size.in_width)
        # With B = 1 the reshape is a view whose rows overlap, which matrix products reject.
        return patches[:, : size.frames].reshape(-1, size.patch_dim).contiguous()


class MLP(Network):
    """Hidden blocks and a linear output; (B, input_dim) -> (B, num_classes) logits.

    Parameters are named `layers.<i>.linear.weight`, `layers.<i>.norm.weight`, ...,
    `output.weight`, `output.bias`; those of convolutions `convs.<i>.block.linear.weight`, ...
    """

    def __init__(
        self,
        config: MlpConfig,
        widths: Sequence[int],
        input_dim: int,
        num_classes: int,
        num_frames: int = 1,
    ) -> None:
        super().__init__()
        self.input_dim = input_dim
        self.widths = tuple(widths)
        before = size_convolutions(config, input_dim, num_frames)
        self.convs = nn.ModuleList(ConvBlock(config, size) for size in before)
        widths_in = (before[-1].output_dim if before else input_dim, *widths)
        dropouts = list_dropouts(config, len(widths))
        self.layers = nn.ModuleList(
            Block(config, widths_in[i], widths_in[i + 1], dropout, residual=config.residual)
            for i, dropout in enumerate(dropouts)
        )
        self.output = nn.Linear(widths_in[-1], num_classes)

    @classmethod
    def from_config(
        cls, config: MlpConfig, feature_dim: int, num_classes: int, context: int
    ) -> Self:
        num_frames = 2 * context + 1
        input_dim = num_frames * feature_dim
        widths = solve_widths(config, input_dim, num_classes, num_frames)
        return cls(config, widths, input_dim, num_classes, num_frames)

    @classmethod
    def validate(cls, config: MlpConfig, context: int) -> None:
        validate_sizes(config)

    def forward(self, x: Tensor, shard: Shard | None = None) -> Tensor:
        for layer in (*self.convs, *self.layers):
            x = layer(x, shard)
        return kernels.linear(x, self.output)

    def fused_eval(self, dtype: torch.dtype) -> Callable[[Tensor], Tensor]:
        """Return all layers as one pass each, or the network itself if one can't be fused."""
        blocks = (*self.convs, *self.layers)
        fused = [block.fused_eval(dtype) for block in blocks]
        fused.append(kernels.fuse_linear(self.output, None, None, dtype))
        layers = [layer for layer in fused if layer is not None]
        if self.training or len(layers) < len(fused):
            return self

        def forward(x: Tensor) -> Tensor:
            for layer in layers:
                x = layer(x)
            return x

        return forward
