"""Networks as one writes them in plain PyTorch, with the sizes of those that are measured."""

from collections.abc import Sequence
from itertools import pairwise
from typing import cast

from torch import Tensor, nn

from framesweep.config import ModelConfig
from framesweep.kernels.activations import ACTIVATIONS
from framesweep.models.mlp import MLP, ConvBlock
from framesweep.models.network import Network
from framesweep.models.tdnn import DelayBlock, Tdnn


def build_plain(
    network: Network, config: ModelConfig, num_classes: int, feature_dim: int, stride: int
) -> nn.Module | None:
    """Return plain modules for the input of `network`, or None for one with shortcuts.

    Args:
        network: An MLP or a TDNN.
        config: What describes it.
        num_classes: Number of phones.
        feature_dim: Values per frame.
        stride: Distance between the frames of a chunk that a TDNN is trained on.
    """
    if isinstance(network, Tdnn):
        return PlainTdnn(network, config, stride)
    if not isinstance(network, MLP) or any(layer.residual for layer in network.layers):
        return None
    if not network.convs:
        return build_plain_network((network.input_dim, *network.widths, num_classes))
    return PlainConvolutions(network, config, num_classes, feature_dim)


def build_plain_network(sizes: Sequence[int], dropout: float = 0.2) -> nn.Sequential:
    """Return the network as one writes it in plain PyTorch, (B, sizes[0]) to (B, sizes[-1])."""
    layers: list[nn.Module] = []
    for fan_in, fan_out in pairwise(sizes[:-1]):
        layers += [
            nn.Linear(fan_in, fan_out),
            nn.BatchNorm1d(fan_out),
            nn.ReLU(),
            nn.Dropout(dropout),
        ]
    return nn.Sequential(*layers, nn.Linear(sizes[-2], sizes[-1]))


class PlainConvolutions(nn.Module):
    """`nn.Conv1d` over the frames of a window, then a perceptron; (B, T * D) -> (B, C)."""

    def __init__(
        self, network: MLP, config: ModelConfig, num_classes: int, feature_dim: int
    ) -> None:
        super().__init__()
        self.feature_dim = feature_dim
        sizes = [cast(ConvBlock, conv).size for conv in network.convs]
        self.convs = nn.Sequential(
            *(
                module
                for size in sizes
                for module in (
                    nn.Conv1d(size.in_width, size.width, size.kernel, size.stride),
                    *_follow(config, size.width),
                )
            )
        )
        self.layers = build_plain_network((sizes[-1].output_dim, *network.widths, num_classes))

    def forward(self, x: Tensor) -> Tensor:
        frames = x.view(len(x), -1, self.feature_dim).transpose(1, 2)
        logits: Tensor = self.layers(self.convs(frames).flatten(1))
        return logits


class PlainTdnn(nn.Module):
    """`nn.Conv1d` with dilation over chunks; (N, T * D) -> (N * L, C) as `models.tdnn.Tdnn`.

    It computes every frame of a chunk, and takes those that are trained on from the last layer.
    """

    def __init__(self, network: Tdnn, config: ModelConfig, stride: int) -> None:
        super().__init__()
        self.feature_dim, self.unseen, self.stride = network.feature_dim, network.unseen, stride
        delays = [cast(DelayBlock, delay) for delay in network.delays]
        self.reaches = [delay.reach if delay.residual else None for delay in delays]
        self.layers = nn.ModuleList(
            nn.Sequential(
                nn.Conv1d(
                    delay.block.linear.in_features // delay.kernel,
                    delay.channels,
                    delay.kernel,
                    dilation=delay.dilation,
                ),
                *_follow(config, delay.channels),
            )
            for delay in delays
        )
        self.output = nn.Linear(network.output.in_features, network.output.out_features)

    def forward(self, x: Tensor) -> Tensor:
        y = x.view(len(x), -1, self.feature_dim).transpose(1, 2)
        y = y[:, :, self.unseen : y.shape[2] - self.unseen]
        for layer, reach in zip(self.layers, self.reaches, strict=True):
            above = layer(y)
            y = above if reach is None else above + y[:, :, reach : y.shape[2] - reach]
        frames = y[:, :, :: self.stride].transpose(1, 2).flatten(0, 1)
        logits: Tensor = self.output(frames)
        return logits


def _follow(config: ModelConfig, width: int) -> tuple[nn.Module, ...]:
    """Return what follows a convolution."""
    activation = ACTIVATIONS[config.activation].module()
    return nn.BatchNorm1d(width), activation, nn.Dropout(0.2)
