"""Bidirectional recurrent networks over utterances."""

from abc import abstractmethod
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from framesweep import kernels
from framesweep.config.networks.recurrent import SequenceConfig
from framesweep.distributed.collectives import Shard
from framesweep.kernels.recurrence import GRU
from framesweep.models.layers import SequenceDropout
from framesweep.models.light_gru import LightGru
from framesweep.models.sequence_network import SequenceNetwork, build_norm
from framesweep.models.sizes import list_dropouts


class BidirectionalLayer(nn.Module):
    """A recurrent layer in each direction, norm and dropout; (N, S, in) -> (N, S, 2 * width).

    The second direction reads each sequence reversed, beginning with its own last step. So
    nothing beyond that step is part of a state, as with torch's packed sequences. Those would
    compute the same, on a CPU fifteen times as slowly (a layer of 2 x 256 units on 12
    sequences of 300 steps, forward and backward): only for a plain tensor does torch compute
    an LSTM by oneDNN.
    """

    def __init__(
        self,
        ahead: nn.Module,
        back: nn.Module,
        config: SequenceConfig,
        width: int,
        dropout: float,
    ) -> None:
        super().__init__()
        self.ahead = ahead
        self.back = back
        self.norm = build_norm(config, 2 * width)
        self.dropout = SequenceDropout(dropout)

    def forward(
        self, x: Tensor, reversing: Tensor | None, shard: Shard | None = None
    ) -> Tensor:
        """Map (N, S, in) to (N, S, 2 * width).

        Args:
            x: The sequences.
            reversing: (N, S) int64, the steps of each sequence in reversed order; None for
                S - 1, ..., 0.
            shard: Which sequences of the training batch these are; None for all.
        """
        ahead = self.ahead(x)[0]
        back = _reverse(self.back(_reverse(x, reversing))[0], reversing)
        y: Tensor = self.dropout(self.norm(torch.cat((ahead, back), dim=2)), shard)
        return y


class RecurrentNetwork(SequenceNetwork):
    """Bidirectional layers, one after the other; their parameters are `layers.<i>.ahead...`."""

    @abstractmethod
    def build_direction(self, config: SequenceConfig, in_width: int, width: int) -> nn.Module:
        """Return a layer in one direction.

        Like torch's, it maps (N, S, in_width) to a tuple whose first is (N, S, width).
        """

    def build_layers(self, config: SequenceConfig, width: int, in_width: int) -> int:
        self.layers = nn.ModuleList()
        for dropout in list_dropouts(config, config.layers):
            ahead, back = (self.build_direction(config, in_width, width) for _ in range(2))
            self.layers.append(BidirectionalLayer(ahead, back, config, width, dropout))
            in_width = 2 * width
        return in_width

    def encode(self, x: Tensor, lengths: Tensor | None, shard: Shard | None) -> Tensor:
        reversing = None
        if lengths is not None:
            steps, ends = torch.arange(x.shape[1], device=x.device), lengths.unsqueeze(1)
            reversing = torch.where(steps < ends, ends - 1 - steps, steps)
        for layer in self.layers:
            x = layer(x, reversing, shard)
        return x


class Gru(nn.GRU):
    """Torch's layer, of one direction, which a CPU trains by `kernels.recur`."""

    weight_ih_l0: Tensor
    weight_hh_l0: Tensor
    bias_ih_l0: Tensor
    bias_hh_l0: Tensor

    def forward(self, x: Tensor) -> Any:  # type: ignore[override]
        """Map (N, S, in) to a tuple whose first is the (N, S, width) states."""
        if not (self.training and kernels.can_recur(x)):
            return super().forward(x)
        gates = F.linear(x, self.weight_ih_l0, self.bias_ih_l0)
        return (kernels.recur(GRU, gates, self.weight_hh_l0, self.bias_hh_l0),)


class LstmNetwork(RecurrentNetwork):
    """A bidirectional LSTM (Hochreiter and Schmidhuber, 1997; Schuster and Paliwal, 1997)."""

    def build_direction(self, config: SequenceConfig, in_width: int, width: int) -> nn.Module:
        return nn.LSTM(in_width, width, batch_first=True)


class GruNetwork(RecurrentNetwork):
    """A bidirectional GRU (Cho et al., 2014)."""

    def build_direction(self, config: SequenceConfig, in_width: int, width: int) -> nn.Module:
        return Gru(in_width, width, batch_first=True)


class LightGruNetwork(RecurrentNetwork):
    """A bidirectional light GRU."""

    def build_direction(self, config: SequenceConfig, in_width: int, width: int) -> nn.Module:
        return LightGru(config, in_width, width)

    def compile(self, *args: Any, **kwargs: Any) -> None:
        """See `torch.nn.Module`; loops over the steps of sequences are not compiled."""
        for module in self.modules():
            if isinstance(module, LightGru):
                module.exclude_loop()
        super().compile(*args, **kwargs)


def _reverse(x: Tensor, order: Tensor | None) -> Tensor:
    """Return (N, S, W) with the steps of each sequence in the given (N, S) order."""
    if order is None:
        return x.flip(1)
    return x.gather(1, order.unsqueeze(2).expand(-1, -1, x.shape[2]))
