import pytest
import torch
from torch import nn

from framesweep import kernels


@pytest.mark.parametrize("bias", [True, False])
def test_a_linear_layer_computes_what_torchs_module_computes(bias: bool) -> None:
    torch.manual_seed(8)
    layer = nn.Linear(37, 19, bias=bias)
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


def test_autocast_is_left_to_torch() -> None:
    layer = nn.Linear(8, 4)
    x = torch.randn(3, 8)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(kernels.linear(x, layer), layer(x))
