"""What networks that read sequences have in common: convolutions, steps and the output."""

from abc import abstractmethod
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from framesweep import kernels
from framesweep.config.key_ranges import MAX_WIDTH
from framesweep.config.networks.recurrent import SequenceConfig
from framesweep.config.rules import require_odd_kernel
from framesweep.distributed.collectives import Shard
from framesweep.errors import ConfigError
from framesweep.kernels.activations import ACTIVATIONS
from framesweep.models.network import ChunkShape, Network
from framesweep.models.sizes import require_one_size, validate_dropouts
from framesweep.models.widths import find_largest


class TimeConvolution(nn.Module):
    """A convolution over time that keeps the number of frames, its norm and its activation."""

    def __init__(self, config: SequenceConfig, in_width: int, width: int) -> None:
        super().__init__()
        side = config.conv_kernel // 2
        self.conv = nn.Conv1d(in_width, width, config.conv_kernel, padding=side)
        self.norm = build_norm(config, width)
        self.activation = ACTIVATIONS[config.activation].module()

    def forward(self, x: Tensor, inside: Tensor | None) -> Tensor:
        """Map (N, T, in_width) to (N, T, width), which is 0 where `inside` (N, T, 1) is 0."""
        y: Tensor = self.activation(self.norm(self.conv(x.transpose(1, 2)).transpose(1, 2)))
        return y if inside is None else y * inside


class SequenceNetwork(Network):
    """A classifier of the frames of sequences, each of a length of its own.

    Convolutions over time come first, then the layers of a subclass, which read `step_frames`
    frames per step, then a linear output for each frame of a step. Unlike other networks it is
    trained and evaluated on chunks of utterances; see `UtteranceChunks`.

    Parameters are named `convs.<i>.conv.weight`, `convs.<i>.norm.weight`, ..., those of the
    subclass, `output.weight`, `output.bias`.

    Attributes:
        chunk_frames: Most frames of an utterance that are classified together.
    """

    def __init__(
        self, config: SequenceConfig, width: int, feature_dim: int, num_classes: int
    ) -> None:
        super().__init__()
        self.feature_dim = feature_dim
        self.num_classes = num_classes
        self.chunk_frames = config.chunk_frames
        self.step_frames = config.step_frames
        self.widths = (width,) * config.layers
        channels = [feature_dim, *config.conv_channels]
        self.convs = nn.ModuleList(
            TimeConvolution(config, channels[i], channels[i + 1])
            for i in range(len(config.conv_channels))
        )
        encoded_dim = self.build_layers(config, width, config.step_frames * channels[-1])
        self.output = nn.Linear(encoded_dim, config.step_frames * num_classes)

    @abstractmethod
    def build_layers(self, config: Any, width: int, in_width: int) -> int:
        """Add the layers to the network, and return the width of their output.

        Args:
            config: The network's own schema.
            width: The width of each layer.
            in_width: The width of their input.
        """

    @abstractmethod
    def encode(self, x: Tensor, lengths: Tensor | None, shard: Shard | None) -> Tensor:
        """Map (N, S, in_width) to the (N, S, W) output of the layers.

        Args:
            x: The steps of N sequences, 0 beyond the end of each.
            lengths: (N,) int64 number of steps of each sequence; None if each has S.
            shard: Which sequences of the training batch these are; None for all.
        """

    @classmethod
    def from_config(
        cls, config: SequenceConfig, feature_dim: int, num_classes: int, context: int
    ) -> Self:
        if config.width is not None:
            return cls(config, config.width, feature_dim, num_classes)
        width = solve_width(cls, config, feature_dim, num_classes)
        return cls(config, width, feature_dim, num_classes)

    @classmethod
    def validate(cls, config: SequenceConfig, context: int) -> None:
        _validate_width(config)
        if config.norm == "batch":
            rule = "must be layer or none for a network that reads sequences"
            raise ConfigError("model.norm", rule, found=config.norm)
        require_odd_kernel("model.conv_kernel", config.conv_kernel)
        validate_dropouts(config, config.layers)

    @classmethod
    def width_step(cls, config: Any) -> int:
        """Return the number of which a width must be a multiple."""
        return 1

    @classmethod
    def chunk_shape(cls, config: SequenceConfig) -> ChunkShape:
        return ChunkShape(config.chunk_frames, stride=1, within_utterances=True)

    def forward(
        self, x: Tensor, shard: Shard | None = None, lengths: Tensor | None = None
    ) -> Tensor:
        """Map (N, T * feature_dim) sequences to (N * T, num_classes) logits, frame by frame.

        Args:
            x: Sequences of T frames; what is beyond the length of one does not matter.
            shard: Which sequences of the training batch these are, if processes divide it.
            lengths: (N,) int64 frames of each sequence; None if each has T.
        """
        x = x.view(x.shape[0], -1, self.feature_dim)
        num_frames, size = x.shape[1], self.step_frames
        inside = None
        if lengths is not None:
            inside = torch.arange(num_frames, device=x.device) < lengths.unsqueeze(1)
            inside = inside.unsqueeze(2)
            x = x.masked_fill(~inside, 0.0)
        for conv in self.convs:
            x = conv(x, inside)
        padded = F.pad(x, (0, 0, 0, -num_frames % size))
        steps = padded.reshape(x.shape[0], -1, size * x.shape[2])
        if lengths is not None:
            lengths = torch.div(lengths + (size - 1), size, rounding_mode="floor")
        y = self.encode(steps, lengths, shard)
        logits = kernels.linear(y.flatten(0, 1), self.output)
        frames = logits.view(-1, steps.shape[1] * size, self.num_classes)
        return frames[:, :num_frames].flatten(0, 1)


def build_norm(config: SequenceConfig, width: int) -> nn.Module:
    """Return the norm of an output of `width` values."""
    return nn.LayerNorm(width) if config.norm == "layer" else nn.Identity()


def solve_width(
    kind: type[SequenceNetwork], config: SequenceConfig, feature_dim: int, num_classes: int
) -> int:
    """Return the largest width of which the network has at most `max_params` parameters.

    Raises:
        ConfigError: if the narrowest network has more, or the widest has fewer.
    """

    def count_params(width: int) -> int:
        # Without memory and random numbers, and true of any network.
        with torch.device("meta"):
            network = kind(config, width, feature_dim, num_classes)
        return sum(parameter.numel() for parameter in network.parameters())

    step, limit = kind.width_step(config), config.max_params or 0
    width = step * find_largest(MAX_WIDTH // step, lambda n: count_params(n * step), limit)
    if not step <= width < MAX_WIDTH:
        least, most = count_params(step), count_params(MAX_WIDTH // step * step)
        raise ConfigError(
            "model.max_params",
            f"must be from {least:,} to below {most:,} for model.layers={config.layers}",
            found=f"{limit:,.0f}",
            fix="Change it, model.layers or model.conv_channels.",
        )
    return width


def _validate_width(config: SequenceConfig) -> None:
    require_one_size(config.width, config.max_params)
    if config.width is None and config.max_params is None:
        raise ConfigError(
            "model.width",
            "must be given if model.max_params is null",
            fix="Add model.width=256 or model.max_params=5e6.",
        )
