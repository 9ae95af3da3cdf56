"""A hidden layer: what it consists of, and that torch computes what can't be fused."""

import logging

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from framesweep import kernels
from framesweep.config import ModelConfig
from framesweep.kernels.activations import ACTIVATIONS, Activation, log_torch_instead
from framesweep.models.layers import BatchNorm, Block


@pytest.fixture
def mish(monkeypatch):
    """An activation of torch that the fused code does not know."""
    monkeypatch.setitem(ACTIVATIONS, "mish", Activation(nn.Mish))
    log_torch_instead.cache_clear()


@pytest.mark.parametrize("norm", ["batch", "layer", "none"])
def test_an_activation_that_cannot_be_fused_is_trained_and_evaluated_by_torch(
    mish, norm, caplog
):
    torch.manual_seed(0)
    block = Block(ModelConfig(activation="mish", norm=norm), 6, 8, dropout=0.0)
    x = torch.randn(32, 6)
    with caplog.at_level(logging.INFO):
        for _ in range(2):
            y = block(x)
            y.square().sum().backward()
    reference = nn.Sequential(block.linear, block.norm, nn.Mish())
    torch.testing.assert_close(y, reference(x))
    assert block.linear.weight.grad is not None
    assert block.eval().fused_eval(torch.float32) is None
    torch.testing.assert_close(block(x), reference(x))
    lines = [record.getMessage() for record in caplog.records]
    fusable = kernels.available(x)
    assert len([line for line in lines if "training step" in line]) == int(fusable)


def test_a_training_batch_of_one_frame_is_normalized_by_the_running_statistics():
    torch.manual_seed(0)
    norm = BatchNorm(4)
    norm(torch.randn(50, 4))
    before = {name: value.clone() for name, value in norm.state_dict().items()}
    x = torch.randn(1, 4)
    y = norm(x)
    torch.testing.assert_close(y, norm.eval()(x))
    assert all(torch.equal(value, before[name]) for name, value in norm.state_dict().items())


@pytest.mark.parametrize(("in_width", "is_residual"), [(8, True), (6, False)])
def test_a_residual_block_adds_its_input_if_the_widths_are_equal(in_width, is_residual):
    config = ModelConfig(norm="none")
    block = Block(config, in_width, 8, dropout=0.0, residual=True).eval()
    x = torch.randn(5, in_width)
    expected = F.relu(block.linear(x))
    torch.testing.assert_close(block(x), x + expected if is_residual else expected)
