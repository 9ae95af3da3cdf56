from itertools import product

import pytest
import torch
from torch import nn

from framesweep import kernels
from framesweep.kernels.backends import MATMULS, Backends, is_available, set_backends

CHOICES = [
    Backends(*names)
    for names in product(("torch", "onednn"), ("torch", "onednn"), MATMULS)
    if all(map(is_available, names))
]


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("backends", [None, *CHOICES])
def test_a_linear_layer_computes_what_torchs_module_computes(bias: bool, backends) -> None:
    torch.manual_seed(8)
    layer = nn.Linear(37, 19, bias=bias)
    if backends is not None:
        set_backends(layer, torch.float32, backends)
    x = torch.randn(65, 37, requires_grad=True)
    dy = torch.randn(65, 19)
    y = kernels.linear(x, layer)
    y.backward(dy)
    ours = [x.grad, *(p.grad for p in layer.parameters())]
    x.grad = None
    layer.zero_grad()
    expected = layer(x)
    expected.backward(dy)
    theirs = [x.grad, *(p.grad for p in layer.parameters())]
    assert torch.allclose(y, expected, atol=1e-5)
    for a, b in zip(ours, theirs, strict=True):
        assert a is not None
        assert b is not None
        assert torch.allclose(a, b, atol=1e-5)


@pytest.mark.parametrize("backends", CHOICES)
def test_under_autocast_a_chosen_layer_computes_what_torch_computes(backends) -> None:
    torch.manual_seed(8)
    layer = nn.Linear(37, 19)
    x = torch.randn(65, 37)

    def compute() -> list[torch.Tensor]:
        layer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16):
            y = kernels.linear(x, layer)
        y.float().square().sum().backward()
        assert layer.weight.grad is not None
        assert layer.bias.grad is not None
        return [y.detach().float(), layer.weight.grad, layer.bias.grad]

    expected = compute()
    set_backends(layer, torch.bfloat16, backends)
    for ours, theirs in zip(compute(), expected, strict=True):
        assert ours.dtype == theirs.dtype == torch.float32
        torch.testing.assert_close(ours, theirs, atol=0.3, rtol=0.02)


def test_autocast_is_left_to_torch_unless_something_was_chosen() -> None:
    layer = nn.Linear(8, 4)
    x = torch.randn(3, 8)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(kernels.linear(x, layer), layer(x))


def test_other_types_are_left_to_torch() -> None:
    layer = nn.Linear(8, 4).double()
    x = torch.randn(3, 8, dtype=torch.float64)
    assert torch.equal(kernels.linear(x, layer), layer(x))
