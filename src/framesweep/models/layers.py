"""The building block of networks: a hidden layer with its norm, activation and dropout."""

from collections.abc import Callable, Iterable
from typing import Protocol, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from framesweep import kernels
from framesweep.config import ModelConfig
from framesweep.distributed.collectives import Shard
from framesweep.kernels.activations import ACTIVATIONS

Layer = Callable[[Tensor], Tensor]
"""A layer in evaluation: a module, or a faster form of it."""


class BatchNorm(nn.BatchNorm1d):
    """Batch norm that normalizes a training batch of one frame by its running statistics.

    An epoch's last batch may hold a single frame, which has no variance of its own. Where
    several processes divide a batch, the statistics are those of the whole batch.
    """

    def forward(self, input: Tensor, shard: Shard | None = None) -> Tensor:
        """Map (B, N) to (B, N); `shard` says which rows of the training batch these are."""
        shard = shard if self.training else None
        if shard is not None and shard.total_rows > 1:
            return kernels.shared_batch_norm(input, self, shard)
        if not self.training or (shard is None and len(input) > 1):
            return super().forward(input)
        return F.batch_norm(
            input, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps
        )


class Dropout(nn.Dropout):
    """Dropout with the same mask for the batch, however many processes divide it.

    On a CPU each process draws the mask of the whole batch, which equals that of a single
    process. On GPUs the mask is a hash of each element's position, which costs only the
    process's own rows; it differs from what a single GPU draws.
    """

    def forward(self, input: Tensor, shard: Shard | None = None) -> Tensor:
        """Map (B, N) to (B, N); `shard` says which rows of the training batch these are."""
        if shard is None or not self.training or self.p == 0:
            return super().forward(input)
        if input.is_cuda:
            return kernels.counter_dropout(input, self.p, shard)
        mask = super().forward(input.new_ones(shard.total_rows, *input.shape[1:]))
        return input * shard.select(mask)


class SequenceDropout(Dropout):
    """Dropout for networks that read sequences, which do not fuse it with a norm.

    On a CPU torch draws the mask element by element, which takes up to a third of a training
    step. Here it is a hash of each element's position. Other networks keep torch's mask, so
    that runs of earlier versions resume as they would have then.
    """

    def forward(self, input: Tensor, shard: Shard | None = None) -> Tensor:
        """Map (N, S, W) to (N, S, W); `shard` says which sequences of the batch these are."""
        if self.training and self.p > 0 and kernels.has_loops(input):
            return kernels.row_dropout(input, self.p, shard)
        return super().forward(input, shard)


class Block(nn.Module):
    """One hidden layer: linear, norm, activation, dropout; (B, in_width) -> (B, width).

    The linear layer has no bias before a batch norm, which would subtract it again. With
    `residual` the block adds its input to its output if both have the same width.
    """

    def __init__(
        self,
        config: ModelConfig,
        in_width: int,
        width: int,
        dropout: float,
        *,
        residual: bool = False,
    ) -> None:
        super().__init__()
        self.linear = nn.Linear(in_width, width, bias=config.norm != "batch")
        self.norm = _norm(config.norm, width)
        self.activation = ACTIVATIONS[config.activation].module()
        self.dropout = Dropout(dropout)
        self.residual = residual and in_width == width
        self._activation_name = config.activation

    def forward(self, x: Tensor, shard: Shard | None = None) -> Tensor:
        """Map (B, in_width) to (B, width); `shard` as for `BatchNorm` and `Dropout`."""
        y = self.finish(kernels.linear(x, self.linear), shard)
        return x + y if self.residual else y

    def finish(self, y: Tensor, shard: Shard | None = None) -> Tensor:
        """Apply what follows the linear layer to its output (B, width)."""
        if self.training and kernels.can_fuse(y, self._activation_name, shard):
            return kernels.norm_activate_drop(
                y, self.norm, self._activation_name, self.dropout.p, shard
            )
        y = self.norm(y, shard) if isinstance(self.norm, BatchNorm) else self.norm(y)
        dropped: Tensor = self.dropout(self.activation(y), shard)
        return dropped

    def fused_eval(self, dtype: torch.dtype) -> Layer | None:
        """Return a faster `forward` for evaluation, or None; see `kernels.fuse_linear`."""
        layer = kernels.fuse_linear(self.linear, self.norm, self._activation_name, dtype)
        if layer is None or not self.residual:
            return layer
        return lambda x: layer(x).add_(x)


class Fusible(Protocol):
    """A block that may have a faster form for evaluation."""

    def fused_eval(self, dtype: torch.dtype) -> Layer | None:
        """Return that form, or None."""


def fuse_layers(
    blocks: Iterable[nn.Module], output: nn.Linear, dtype: torch.dtype
) -> list[Layer] | None:
    """Return `Fusible` blocks and the output as one pass each; None if one can't be fused."""
    fused = [cast(Fusible, block).fused_eval(dtype) for block in blocks]
    fused.append(kernels.fuse_linear(output, None, None, dtype))
    layers = [layer for layer in fused if layer is not None]
    return layers if len(layers) == len(fused) else None


def _norm(name: str, width: int) -> nn.Module:
    if name == "batch":
        return BatchNorm(width)
    return nn.LayerNorm(width) if name == "layer" else nn.Identity()
