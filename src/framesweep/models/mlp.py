"""The multi-layer perceptron, optionally preceded by convolutions over time."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from framesweep import kernels
from framesweep.config import MlpConfig
from framesweep.distributed.collectives import Shard
from framesweep.models.layers import Block
from framesweep.models.sizes import Convolution, convolutions, layer_dropouts


class ConvBlock(nn.Module):
    """A block that slides over time; (B, in_frames * in_width) -> (B, frames * width).

    All places share its weights and its norm's statistics, as in a time-delay network (Waibel
    et al., 1989): what a phone's parts look like is learnt once, wherever in a window they lie.
    """

    def __init__(self, config: MlpConfig, size: Convolution) -> None:
        super().__init__()
        self.size = size
        self.block = Block(config, size.patch_dim, size.width, config.conv_dropout)

    def forward(self, x: Tensor, shard: Shard | None = None) -> Tensor:
        patches = None if shard is None else shard.expand(self.size.frames)
        y: Tensor = self.block(self._patches(x), patches)
        return y.view(len(x), self.size.output_dim)

    def folded(self, dtype: torch.dtype) -> Callable[[Tensor], Tensor] | None:
        """As `Block.folded`."""
        block = self.block.folded(dtype)
        if block is None:
            return None
        return lambda x: block(self._patches(x)).view(len(x), self.size.output_dim)

    def _patches(self, x: Tensor) -> Tensor:
        """(B * frames, patch_dim): what it sees at each place of each window."""
        size = self.size
        seen = x[:, size.first * size.in_width :]
        patches = seen.unfold(1, size.patch_dim, size.stride * size.in_width)
        # Of one window alone the reshape is a view whose rows overlap, which products refuse.
        return patches[:, : size.frames].reshape(-1, size.patch_dim).contiguous()


class MLP(nn.Module):
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
        before = convolutions(config, input_dim, num_frames)
        self.convs = nn.ModuleList(ConvBlock(config, size) for size in before)
        widths_in = (before[-1].output_dim if before else input_dim, *widths)
        dropouts = layer_dropouts(config, len(widths))
        self.layers = nn.ModuleList(
            Block(config, widths_in[i], widths_in[i + 1], dropout, residual=config.residual)
            for i, dropout in enumerate(dropouts)
        )
        self.output = nn.Linear(widths_in[-1], num_classes)

    def forward(self, x: Tensor, shard: Shard | None = None) -> Tensor:
        for layer in (*self.convs, *self.layers):
            x = layer(x, shard)
        return kernels.linear(x, self.output)

    def folded(self, dtype: torch.dtype) -> Callable[[Tensor], Tensor]:
        """The network in evaluation, until its weights change.

        Where each layer folds into one product, in `dtype`, that is faster; else it is the
        module itself, to be called under autocast.
        """
        blocks = (*self.convs, *self.layers)
        folded = [block.folded(dtype) for block in blocks]
        folded.append(kernels.fold(self.output, None, None, dtype))
        layers = [layer for layer in folded if layer is not None]
        if self.training or len(layers) < len(folded):
            return self

        def forward(x: Tensor) -> Tensor:
            for layer in layers:
                x = layer(x)
            return x

        return forward
