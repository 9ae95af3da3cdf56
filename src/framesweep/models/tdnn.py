"""A time-delay network, which shares its work between neighbouring frames.

Each layer sees a few frames of the layer before, some of them apart, so that layer by layer
the network sees as far as a window reaches (Waibel et al., 1989; Peddinti et al., 2015). What
it says of a frame depends on that frame's window alone. But the windows of neighbours hold
mostly the same frames, and what the layers make of these is worked out once for all of them.
"""

import math
from collections.abc import Callable
from itertools import accumulate
from typing import cast

import torch
from torch import Tensor, nn

from framesweep import kernels
from framesweep.config import TdnnConfig
from framesweep.distributed.collectives import Shard
from framesweep.errors import ConfigError
from framesweep.models.layers import Block
from framesweep.models.sizes import MAX_DEPTH, check_dropouts, check_range, layer_dropouts
from framesweep.models.widths import MAX_WIDTH

MAX_CHUNK_FRAMES = 10_000
"""Neighbouring frames that may be trained on together."""


class DelayBlock(nn.Module):
    """A hidden layer over time; (N, T, in_width) -> (N, T - 2 * reach, width).

    It sees `kernel` frames, `dilation` frames from one to the next, and adds the middle one to
    what it gives where their widths are equal.
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
        """As the class says, of every `step`-th frame for each `stride`-th of these."""
        if shard is None:
            return self._over(self.block, x, step, stride)
        rows = shard.expand(self._num_frames(x, step, stride))
        return self._over(lambda patches: self.block(patches, rows), x, step, stride)

    def folded(self, dtype: torch.dtype) -> Callable[[Tensor], Tensor] | None:
        """As `Block.folded`."""
        block = self.block.folded(dtype)
        return None if block is None else lambda x: self._over(block, x)

    def _over(
        self, block: Callable[[Tensor], Tensor], x: Tensor, step: int = 1, stride: int = 1
    ) -> Tensor:
        dilation, span = self.dilation // step, self._span(x, step)
        num_frames = self._num_frames(x, step, stride)
        seen = [
            x[:, first : first + span : stride]
            for first in range(0, self.kernel * dilation, dilation)
        ]
        y = block(torch.cat(seen, dim=2).flatten(0, 1)).view(len(x), num_frames, self.channels)
        return seen[self.kernel // 2] + y if self.residual else y

    def _span(self, x: Tensor, step: int) -> int:
        return x.shape[1] - 2 * self.reach // step

    def _num_frames(self, x: Tensor, step: int, stride: int) -> int:
        """Frames that the layer gives for x (N, T, in_width)."""
        return -(-self._span(x, step) // stride)


class Tdnn(nn.Module):
    """Delay blocks and a linear output.

    (N, (L + 2*context) * feature_dim), L neighbouring frames with the context of the first and
    the last, -> (N * L, num_classes) logits, frame by frame; in training only those of every
    `stride`-th frame, for which layers below compute no more than is seen of them. A window is
    such a run of L = 1.

    Parameters are named `delays.<i>.block.linear.weight`, `delays.<i>.block.norm.weight`, ...,
    `output.weight`, `output.bias`.
    """

    def __init__(
        self, config: TdnnConfig, feature_dim: int, num_classes: int, context: int
    ) -> None:
        super().__init__()
        self.feature_dim = feature_dim
        # Frames of a window that lie beyond what the layers see.
        self.unseen = context - reach(config)
        # From one frame that is needed to the next, before each layer and after the last.
        self.steps = [config.stride]
        for dilation in reversed(config.dilations):
            self.steps.insert(0, math.gcd(self.steps[0], dilation))
        dropouts = layer_dropouts(config, len(config.dilations))
        self.delays = nn.ModuleList(
            DelayBlock(config, config.channels if i else feature_dim, dilation, dropouts[i])
            for i, dilation in enumerate(config.dilations)
        )
        self.widths = (config.channels,) * len(config.dilations)
        self.output = nn.Linear(config.channels, num_classes)

    def forward(self, x: Tensor, shard: Shard | None = None) -> Tensor:
        steps = self.steps if self.training else [1] * len(self.steps)
        y = self._seen(x, steps[0])
        for delay, step, next_step in zip(self.delays, steps, steps[1:], strict=False):
            y = delay(y, step, next_step // step, shard)
        return kernels.linear(y.flatten(0, 1), self.output)

    def folded(self, dtype: torch.dtype) -> Callable[[Tensor], Tensor]:
        """The network in evaluation, until its weights change, as `MLP.folded`."""
        output = kernels.fold(self.output, None, None, dtype)
        layers = [cast(DelayBlock, delay).folded(dtype) for delay in self.delays]
        delays = [layer for layer in layers if layer is not None]
        if self.training or output is None or len(delays) < len(layers):
            return self
        last = output

        def forward(x: Tensor) -> Tensor:
            y = self._seen(x, 1)
            for delay in delays:
                y = delay(y)
            return last(y.flatten(0, 1))

        return forward

    def _seen(self, x: Tensor, step: int) -> Tensor:
        """(N, T, feature_dim): every `step`-th frame of those that the layers see."""
        num_frames = x.shape[1] // self.feature_dim
        frames = x.view(len(x), num_frames, self.feature_dim)
        return frames[:, self.unseen : num_frames - self.unseen : step]


def reach(config: TdnnConfig) -> int:
    """Frames to each side that the layers see together."""
    return (config.kernel - 1) // 2 * sum(config.dilations)


def check(config: TdnnConfig) -> None:
    """Check the rules of the `model` group that its types cannot express.

    Raises:
        ConfigError: naming the key, its value and what to do.
    """
    check_range("model.channels", config.channels, 1, MAX_WIDTH)
    check_range("model.run_frames", config.run_frames, 1, MAX_CHUNK_FRAMES)
    check_range("model.stride", config.stride, 1, config.run_frames)
    check_range("model.dilations, its length,", len(config.dilations), 1, MAX_DEPTH)
    for dilation in config.dilations:
        check_range("model.dilations", dilation, 1, MAX_WIDTH)
    check_range("model.kernel", config.kernel, 1, MAX_WIDTH)
    if config.kernel % 2 == 0:
        raise ConfigError(
            "model.kernel", "must be odd, as many frames to each side", found=config.kernel
        )
    check_dropouts(config, len(config.dilations))


def check_reach(config: TdnnConfig, context: int) -> None:
    """Raises ConfigError where the layers see farther than a window reaches."""
    if reach(config) <= context:
        return
    side = (config.kernel - 1) // 2
    fitting = sum(total * side <= context for total in accumulate(config.dilations))
    raise ConfigError(
        "model.dilations",
        f"must reach at most data.context={context} frames to each side",
        found=f"{config.dilations}, which reach {reach(config)}",
        fix=f"Enlarge data.context, or keep {fitting} of them.",
    )
