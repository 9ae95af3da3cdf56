"""The listed calls are those that a forward pass makes."""

import torch
from torch import nn

from framesweep import kernels
from framesweep.kernels.backends import LinearCall
from framesweep.kernels.linear_calls import list_linear_calls


class TwoLayers(nn.Module):
    """Frames through a shared layer, and all frames of an item through another."""

    def __init__(self) -> None:
        super().__init__()
        self.frame = nn.Linear(4, 6)
        self.norm = nn.BatchNorm1d(6)
        self.dropout = nn.Dropout(0.5)
        self.output = nn.Linear(18, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.norm(kernels.linear(x.reshape(-1, 4), self.frame))
        return kernels.linear(self.dropout(y).reshape(len(x), -1), self.output)


def test_rows_and_sizes_are_those_of_a_batch() -> None:
    assert list_linear_calls(TwoLayers(), 32, torch.ones(12)) == [
        LinearCall("frame", 96, 4, 6, needs_input_gradient=False),
        LinearCall("output", 32, 18, 5, needs_input_gradient=True),
    ]


def test_nothing_that_training_depends_on_changes() -> None:
    network = TwoLayers().eval()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    state = torch.get_rng_state()
    list_linear_calls(network, 32, torch.ones(12))
    assert torch.equal(torch.get_rng_state(), state)
    assert not network.training
    assert all(p.grad is None for p in network.parameters())
    for name, value in network.state_dict().items():
        assert torch.equal(value, before[name]), name
    assert not network.frame._forward_pre_hooks
