"""The multi-layer perceptron, optionally preceded by convolutions over time."""

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Self, cast

import torch
from torch import Tensor, nn

from framesweep import kernels
from framesweep.config.networks.mlp import MlpConfig
from framesweep.distributed.collectives import Shard
from framesweep.kernels.patches import PatchShape, take_patches
from framesweep.models.layers import Block, Layer, fuse_layers
from framesweep.models.network import Network, StretchClassifier
from framesweep.models.sizes import (
    Convolution,
    list_dropouts,
    size_convolutions,
    solve_widths,
    validate_sizes,
)

LEAST_GAIN = 4
"""How many times as much the convolutions of windows must multiply as those of rows, so that it
pays to compute them by row: there are more rows than windows, because of the padding between
utterances."""


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

    def fused_eval(self, dtype: torch.dtype) -> Layer | None:
        """Return a faster `forward` for evaluation, or None, as `Block.fused_eval`."""
        block = self.block.fused_eval(dtype)
        if block is None:
            return None
        return lambda x: block(self._patches(x)).view(x.shape[0], self.size.output_dim)

    def slide(self, block: Layer, x: Tensor, step: int) -> Tensor:
        """Return `block` of the patch that begins at each row, as (1, T', width).

        Args:
            block: The block, or a faster form of it.
            x: (1, T, in_width), a stretch of rows; T' of them begin a whole patch.
            step: The distance in rows between neighboring frames of a window.
        """
        size = self.size
        num_rows = x.shape[1] - (size.kernel - 1) * step
        patches = take_patches(x, PatchShape(size.kernel, step, 1, num_rows))
        return block(patches).view(1, num_rows, size.width)

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

    def fused_eval(self, dtype: torch.dtype) -> Layer:
        """Return all layers as one pass each, or the network itself if one can't be fused."""
        layers = fuse_layers((*self.convs, *self.layers), self.output, dtype)
        return self if self.training or layers is None else partial(_apply, layers)

    def stretch_eval(self, dtype: torch.dtype | None = None) -> StretchClassifier | None:
        """Return what computes a convolution once per row, rather than once per window.

        A row is at many positions of many windows, but at each a convolution sees the same
        patch. Without convolutions windows share nothing that could be computed once.
        """
        if self.training or not self._shares_enough():
            return None
        convs = cast(Iterable[ConvBlock], self.convs)
        blocks: list[Layer] = [conv.block for conv in convs]
        layers: list[Layer] = [*self.layers, partial(kernels.linear, layer=self.output)]
        if dtype is not None:
            blocks = [conv.block.fused_eval(dtype) or conv.block for conv in convs]
            layers = fuse_layers(self.layers, self.output, dtype) or layers
        return partial(_classify_stretch, list(zip(convs, blocks, strict=True)), layers)

    def _shares_enough(self) -> bool:
        """Return whether convolutions multiply far less per row than per window."""
        sizes = [conv.size for conv in cast(Iterable[ConvBlock], self.convs)]
        per_row = sum(size.patch_dim * size.width for size in sizes)
        per_window = sum(size.patch_dim * size.output_dim for size in sizes)
        return bool(sizes) and per_window >= LEAST_GAIN * per_row


def _apply(layers: Iterable[Layer], x: Tensor) -> Tensor:
    for layer in layers:
        x = layer(x)
    return x


def _classify_stretch(
    convs: Sequence[tuple[ConvBlock, Layer]],
    layers: Iterable[Layer],
    rows: Tensor,
    starts: Tensor,
) -> Tensor:
    """Map a stretch of rows and the starts of windows to logits, as `StretchClassifier`."""
    y = rows.view(1, -1, convs[0][0].size.in_width)
    # The first of the last convolution's frames in a window that starts at row 0, and the
    # distance in rows between them.
    first, step = 0, 1
    for conv, block in convs:
        y = conv.slide(block, y, step)
        first += step * conv.size.first
        step *= conv.size.stride
    frames = first + step * torch.arange(convs[-1][0].size.frames, device=rows.device)
    places = (starts.unsqueeze(1) + frames).flatten()
    return _apply(layers, y[0].index_select(0, places).view(len(starts), -1))
