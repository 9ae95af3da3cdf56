"""A Conformer: self-attention and convolutions over utterances."""

from typing import Any

import torch
from torch import Tensor, nn

from framesweep import kernels
from framesweep.config.networks.conformer import ConformerConfig
from framesweep.config.rules import require_odd_kernel
from framesweep.distributed.collectives import Shard
from framesweep.errors import ConfigError
from framesweep.kernels.activations import ACTIVATIONS
from framesweep.models.layers import SequenceDropout
from framesweep.models.sequence_network import SequenceNetwork, build_norm
from framesweep.models.sizes import list_dropouts


class FeedForward(nn.Module):
    """Norm, linear layer, activation, dropout, linear layer; (N, S, W) -> (N, S, W)."""

    def __init__(self, config: ConformerConfig, width: int, dropout: float) -> None:
        super().__init__()
        self.norm = build_norm(config, width)
        self.hidden = nn.Linear(width, config.expansion * width)
        self.activation = ACTIVATIONS[config.activation].module()
        self.dropout = SequenceDropout(dropout)
        self.output = nn.Linear(config.expansion * width, width)

    def forward(self, x: Tensor, shard: Shard | None) -> Tensor:
        y = self.activation(_linear(self.norm(x), self.hidden))
        return _linear(self.dropout(y, shard), self.output)


class SelfAttention(nn.Module):
    """Norm and self-attention of several heads; (N, S, W) -> (N, S, W).

    Positions are not encoded: the convolutions before and between tell neighbors apart.
    """

    def __init__(self, config: ConformerConfig, width: int) -> None:
        super().__init__()
        self.num_heads = config.heads
        self.norm = build_norm(config, width)
        self.projection = nn.Linear(width, 3 * width)
        self.output = nn.Linear(width, width)

    def forward(self, x: Tensor, outside: Tensor | None) -> Tensor:
        """Map x to its own weighted means; no step attends to one that is `outside` (N, S)."""
        size = x.shape[2] // self.num_heads
        projected = _linear(self.norm(x), self.projection)
        heads = projected.view(x.shape[0], -1, 3 * self.num_heads, size).transpose(1, 2)
        query, key, value = heads.chunk(3, dim=1)
        # Torch's fused attention is not deterministic on every GPU. Chunks are so short that
        # the scores of all pairs of steps fit into memory.
        scores = query @ key.transpose(2, 3) * size**-0.5
        if outside is not None:
            scores = scores.masked_fill(outside[:, None, None], float("-inf"))
        means = (scores.softmax(dim=3).to(value.dtype) @ value).transpose(1, 2)
        return _linear(means.flatten(2), self.output)


class ConvolutionModule(nn.Module):
    """Norm, gated linear layer, depthwise convolution over time, linear layer.

    The norm after the convolution is that of `model.norm`, where the paper has batch norm.
    """

    def __init__(self, config: ConformerConfig, width: int) -> None:
        super().__init__()
        self.norm = build_norm(config, width)
        self.gate = nn.Linear(width, 2 * width)
        self.depthwise = nn.Conv1d(
            width, width, config.kernel, padding=config.kernel // 2, groups=width
        )
        self.inner_norm = build_norm(config, width)
        self.activation = ACTIVATIONS[config.activation].module()
        self.output = nn.Linear(width, width)

    def forward(self, x: Tensor, outside: Tensor | None) -> Tensor:
        """Map (N, S, W) to (N, S, W); steps that are `outside` (N, S) count as zeros."""
        y = nn.functional.glu(_linear(self.norm(x), self.gate), dim=2)
        if outside is not None:
            y = y.masked_fill(outside.unsqueeze(2), 0.0)
        y = self.depthwise(y.transpose(1, 2)).transpose(1, 2)
        return _linear(self.activation(self.inner_norm(y)), self.output)


class ConformerLayer(nn.Module):
    """Half a feed-forward module, attention, convolution, and half a feed-forward module.

    Each adds its output, after dropout, to its input (Gulati et al., "Conformer:
    Convolution-augmented Transformer for Speech Recognition", 2020).
    """

    def __init__(self, config: ConformerConfig, width: int, dropout: float) -> None:
        super().__init__()
        self.first = FeedForward(config, width, dropout)
        self.attention = SelfAttention(config, width)
        self.convolution = ConvolutionModule(config, width)
        self.second = FeedForward(config, width, dropout)
        self.norm = build_norm(config, width)
        self.dropout = SequenceDropout(dropout)

    def forward(self, x: Tensor, outside: Tensor | None, shard: Shard | None) -> Tensor:
        """Map (N, S, W) to (N, S, W); `outside` (N, S) marks steps beyond a sequence's end."""
        x = x + self.dropout(self.first(x, shard), shard) / 2
        x = x + self.dropout(self.attention(x, outside), shard)
        x = x + self.dropout(self.convolution(x, outside), shard)
        x = x + self.dropout(self.second(x, shard), shard) / 2
        y: Tensor = self.norm(x)
        return y


class Conformer(SequenceNetwork):
    """A linear layer to the width and Conformer layers, named `layers.<i>.attention...`."""

    @classmethod
    def validate(cls, config: Any, context: int) -> None:
        super().validate(config, context)
        require_odd_kernel("model.kernel", config.kernel, "steps")
        if config.width is not None and config.width % config.heads:
            rule = f"must be a multiple of model.heads={config.heads}"
            raise ConfigError("model.width", rule, found=config.width)

    @classmethod
    def width_step(cls, config: ConformerConfig) -> int:
        return config.heads

    def build_layers(self, config: ConformerConfig, width: int, in_width: int) -> int:
        self.input = nn.Linear(in_width, width)
        self.layers = nn.ModuleList(
            ConformerLayer(config, width, dropout)
            for dropout in list_dropouts(config, config.layers)
        )
        return width

    def encode(self, x: Tensor, lengths: Tensor | None, shard: Shard | None) -> Tensor:
        outside = None
        if lengths is not None:
            outside = torch.arange(x.shape[1], device=x.device) >= lengths.unsqueeze(1)
        x = _linear(x, self.input)
        for layer in self.layers:
            x = layer(x, outside, shard)
        return x


def _linear(x: Tensor, layer: nn.Linear) -> Tensor:
    """Map (N, S, in) to (N, S, out)."""
    y: Any = kernels.linear(x.flatten(0, 1), layer)
    return y.view(x.shape[0], -1, layer.out_features)  # type: ignore[no-any-return]
