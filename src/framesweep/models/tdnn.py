"""A time-delay network, which computes once what the windows of neighboring frames share.

Each layer sees a few frames of the layer before, with gaps between them, so that layer by layer
the network sees as far as a window reaches (Waibel et al., 1989; Peddinti et al., 2015). The
logits of a frame depend on that frame's window alone. But the windows of neighboring frames
overlap in all frames but one, and in a chunk of neighbors each layer's output at a frame is
computed once for all windows that contain it.
"""

import math
from collections.abc import Callable
from itertools import accumulate
from typing import Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from framesweep import kernels
from framesweep.config.networks.tdnn import TdnnConfig
from framesweep.config.rules import require_odd_kernel
from framesweep.distributed.collectives import Shard
from framesweep.errors import ConfigError
from framesweep.kernels.patches import PatchShape, take_patches
from framesweep.models.layers import Block, fuse_layers
from framesweep.models.network import ChunkShape, Network, StretchClassifier
from framesweep.models.sizes import list_dropouts, require_depth, validate_dropouts


class DelayBlock(nn.Module):
    """A hidden layer over time; (N, T, in_width) -> (N, T - 2 * reach, width).

    It sees `kernel` frames that are `dilation` frames apart. Where the widths are equal, it
    adds the middle one of them to its output.
    """

    def __init__(
        self, config: TdnnConfig, in_width: int, dilation: int, dropout: float
    ) -> None:
        super().__init__()
        self.kernel, self.dilation = config.kernel, dilation
        self.reach = (config.kernel - 1) // 2 * dilation
        self.channels = config.channels
        self.residual = in_width == config.channels
        self.block = Block(config, config.kernel * in_width, config.channels, dropout)

    def forward(
        self, x: Tensor, step: int = 1, stride: int = 1, shard: Shard | None = None
    ) -> Tensor:
        """Compute the layer at some of its frames.

        Args:
            x: (N, T', in_width), every `step`-th frame of the layer before.
            step: Divides `dilation`.
            stride: The output has every `stride`-th of the frames in x.
            shard: Which chunks of the training batch x holds; None for all.
        """
        if convolves(x.device):
            return self._convolve(x, step, stride, shard)
        if shard is None:
            return self._over(self.block, x, step, stride)
        rows = shard.expand(self._num_frames(x, step, stride))
        return self._over(lambda patches: self.block(patches, rows), x, step, stride)

    def fused_eval(self, dtype: torch.dtype) -> Callable[[Tensor], Tensor] | None:
        """Return a faster `forward` for evaluation, or None, as `Block.fused_eval`."""
        block = self.block.fused_eval(dtype)
        return None if block is None else lambda x: self._over(block, x)

    def _over(
        self, block: Callable[[Tensor], Tensor], x: Tensor, step: int = 1, stride: int = 1
    ) -> Tensor:
        dilation, span = self.dilation // step, self._span(x, step)
        num_frames = self._num_frames(x, step, stride)
        patches = take_patches(x, PatchShape(self.kernel, dilation, stride, num_frames))
        y = block(patches).view(x.shape[0], num_frames, self.channels)
        if not self.residual:
            return y
        middle = self.kernel // 2 * dilation
        return x[:, middle : middle + span : stride] + y

    def _convolve(self, x: Tensor, step: int, stride: int, shard: Shard | None) -> Tensor:
        """Compute the same as `_over` with the block, as a convolution over time.

        The linear layer's weight, with the frames of a patch one after the other, is that of a
        convolution whose channels come last in memory, and so are x and the output. Nothing is
        copied, neither patches here nor their gradients in the backward pass.
        """
        linear, dilation = self.block.linear, self.dilation // step
        weight = linear.weight.view(self.channels, self.kernel, -1).permute(0, 2, 1)
        y = F.conv2d(
            x.transpose(1, 2).unsqueeze(2),
            weight.unsqueeze(2),
            linear.bias,
            stride=(1, stride),
            dilation=(1, dilation),
        )
        rows = y.squeeze(2).transpose(1, 2)
        num_frames = rows.shape[1]
        patches = None if shard is None else shard.expand(num_frames)
        out = self.block.finish(rows.flatten(0, 1), patches)
        out = out.view(x.shape[0], num_frames, self.channels)
        if not self.residual:
            return out
        first = self.kernel // 2 * dilation
        return x[:, first : first + self._span(x, step) : stride] + out

    def _span(self, x: Tensor, step: int) -> int:
        return x.shape[1] - 2 * self.reach // step

    def _num_frames(self, x: Tensor, step: int, stride: int) -> int:
        """Return the number of output frames for x (N, T', in_width)."""
        return -(-self._span(x, step) // stride)


def convolves(device: torch.device) -> bool:
    """Return whether a delay block is computed as a convolution.

    cuDNN has convolutions with dilation and stride as fast as products of matrices, and saves
    the patches. On a CPU, patches and their product are faster, and can be fused.
    """
    return device.type == "cuda"


class Tdnn(Network):
    """Delay blocks and a linear output.

    (N, (L + 2*context) * feature_dim), chunks of L neighboring frames with the context of the
    first and the last, -> (N * L, num_classes) logits, frame by frame. In training only every
    `stride`-th frame of a chunk has logits. A window is a chunk of L = 1.

    Parameters are named `delays.<i>.block.linear.weight`, `delays.<i>.block.norm.weight`, ...,
    `output.weight`, `output.bias`.
    """

    def __init__(
        self, config: TdnnConfig, feature_dim: int, num_classes: int, context: int
    ) -> None:
        super().__init__()
        self.feature_dim = feature_dim
        # Frames at each end of a window that the layers do not see.
        self.unseen = context - compute_reach(config)
        # In training only every stride-th frame of the last layer is needed. Of the layer
        # before, only frames at multiples of gcd(stride, dilation) from each other are read,
        # and so on down to the input: steps[i] is that distance before layer i.
        self.steps = [config.stride]
        for dilation in reversed(config.dilations):
            self.steps.insert(0, math.gcd(self.steps[0], dilation))
        dropouts = list_dropouts(config, len(config.dilations))
        self.delays = nn.ModuleList(
            DelayBlock(config, config.channels if i else feature_dim, dilation, dropouts[i])
            for i, dilation in enumerate(config.dilations)
        )
        self.widths = (config.channels,) * len(config.dilations)
        self.output = nn.Linear(config.channels, num_classes)

    @classmethod
    def from_config(
        cls, config: TdnnConfig, feature_dim: int, num_classes: int, context: int
    ) -> Self:
        return cls(config, feature_dim, num_classes, context)

    @classmethod
    def validate(cls, config: TdnnConfig, context: int) -> None:
        if config.stride > config.run_frames:
            rule = f"must be at most model.run_frames={config.run_frames}"
            raise ConfigError("model.stride", rule, found=config.stride)
        require_depth("model.dilations", config.dilations, 1)
        require_odd_kernel("model.kernel", config.kernel)
        validate_dropouts(config, len(config.dilations))
        _validate_reach(config, context)

    @classmethod
    def chunk_shape(cls, config: TdnnConfig) -> ChunkShape:
        return ChunkShape(config.run_frames, config.stride)

    def forward(self, x: Tensor, shard: Shard | None = None) -> Tensor:
        steps = self.steps if self.training else [1] * len(self.steps)
        y = self._seen(x, steps[0])
        for delay, step, next_step in zip(self.delays, steps[:-1], steps[1:], strict=True):
            y = delay(y, step, next_step // step, shard)
        return kernels.linear(y.flatten(0, 1), self.output)

    def fused_eval(self, dtype: torch.dtype) -> Callable[[Tensor], Tensor]:
        """Return all layers as one pass each, or the network itself if one can't be fused."""
        layers = fuse_layers(self.delays, self.output, dtype)
        if self.training or layers is None:
            return self
        *delays, output = layers

        def forward(x: Tensor) -> Tensor:
            y = self._seen(x, 1)
            for delay in delays:
                y = delay(y)
            return output(y.flatten(0, 1))

        return forward

    def stretch_eval(self, dtype: torch.dtype | None = None) -> StretchClassifier | None:
        """Return what classifies every row that has its context, and selects the windows."""
        if self.training:
            return None
        classify = self if dtype is None else self.fused_eval(dtype)
        return lambda rows, starts: classify(rows)[starts]

    def _seen(self, x: Tensor, step: int) -> Tensor:
        """Return (N, T, feature_dim): every `step`-th frame of those that the layers see."""
        num_frames = x.shape[1] // self.feature_dim
        frames = x.view(x.shape[0], num_frames, self.feature_dim)
        return frames[:, self.unseen : num_frames - self.unseen : step]


def compute_reach(config: TdnnConfig) -> int:
    """Return the number of frames to each side that all layers together see."""
    return (config.kernel - 1) // 2 * sum(config.dilations)


def _validate_reach(config: TdnnConfig, context: int) -> None:
    """Raise ConfigError if the layers see farther than a window reaches."""
    if compute_reach(config) <= context:
        return
    side = (config.kernel - 1) // 2
    fitting = sum(total * side <= context for total in accumulate(config.dilations))
    raise ConfigError(
        "model.dilations",
        f"must reach at most data.context={context} frames to each side",
        found=f"{config.dilations}, which reach {compute_reach(config)}",
        fix=f"Enlarge data.context, or keep {fitting} of them.",
    )
