"""Fused layers against torch's modules, and what can't be fused."""

import logging

import pytest
import torch
from torch import nn

from framesweep.kernels import matmul
from framesweep.kernels.activations import ACTIVATIONS, Activation, log_torch_instead
from framesweep.kernels.folding import fuse_linear

FUSED = [None, *(name for name, one in ACTIVATIONS.items() if one.post_op)]
needs_onednn = pytest.mark.skipif(not matmul.available(), reason="needs oneDNN")


def layers(bias: bool) -> tuple[nn.Linear, nn.BatchNorm1d]:
    """A linear layer, and a batch norm in evaluation with statistics of its own."""
    torch.manual_seed(0)
    norm = nn.BatchNorm1d(9).eval()
    for tensor in (norm.weight.data, norm.bias.data, norm.running_mean):
        nn.init.normal_(tensor)
    nn.init.uniform_(norm.running_var, 0.1, 4.0)
    return nn.Linear(7, 9, bias=bias), norm


@needs_onednn
@torch.no_grad()
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("activation", FUSED)
def test_a_fused_layer_computes_what_the_modules_do(bias, activation):
    linear, norm = layers(bias)
    x = torch.randn(20, 7)
    fused = fuse_linear(linear, norm, activation, torch.float32)
    expected = norm(linear(x))
    if activation is not None:
        expected = ACTIVATIONS[activation].module()(expected)
    torch.testing.assert_close(fused(x), expected, atol=1e-5, rtol=1e-5)


@needs_onednn
@torch.no_grad()
def test_torch_fuses_the_weights_as_the_formula_says():
    """The scale is weight / sqrt(variance + eps), and the mean is scaled and subtracted."""
    linear, norm = layers(bias=False)
    scale = norm.weight / (norm.running_var + norm.eps).sqrt()
    weight = linear.weight * scale.unsqueeze(1)
    shift = norm.bias - norm.running_mean * scale
    x = torch.randn(20, 7)
    fused = fuse_linear(linear, norm, None, torch.float32)
    torch.testing.assert_close(fused(x), x @ weight.t() + shift, atol=1e-5, rtol=1e-5)


def test_another_norm_or_activation_is_left_to_torch_with_a_line_in_the_log(
    monkeypatch, caplog
):
    monkeypatch.setattr(matmul, "available", lambda: True)
    monkeypatch.setitem(ACTIVATIONS, "mish", Activation(nn.Mish))
    log_torch_instead.cache_clear()
    linear, norm = layers(bias=False)
    with caplog.at_level(logging.INFO):
        for _ in range(2):
            assert fuse_linear(linear, norm, "mish", torch.float32) is None
            assert fuse_linear(linear, nn.LayerNorm(9), "relu", torch.float32) is None
    lines = [record.getMessage().partition(":")[0] for record in caplog.records]
    assert lines == ["model.activation=mish", "LayerNorm"]


def test_another_device_is_left_to_torch_without_a_line(caplog):
    linear = nn.Linear(7, 9, device="meta")
    with caplog.at_level(logging.INFO):
        assert fuse_linear(linear, None, "relu", torch.float32) is None
    assert caplog.records == []
