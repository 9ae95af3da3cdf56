"""The registry of activations: entries agree with torch, and what lacks a part is logged."""

import logging

import pytest
import torch

from framesweep.kernels import matmul
from framesweep.kernels.activations import ACTIVATIONS, log_torch_instead


@pytest.mark.parametrize("name", [n for n, one in ACTIVATIONS.items() if one.post_op])
@pytest.mark.skipif(not matmul.available(), reason="needs oneDNN")
def test_onednn_computes_what_the_module_does(name):
    activation = ACTIVATIONS[name]
    x = torch.linspace(-6, 6, 101).unsqueeze(1)
    fused = matmul.multiply(x, torch.ones(1, 1), post_op=activation.post_op)
    torch.testing.assert_close(fused, activation.module()(x), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", [n for n, one in ACTIVATIONS.items() if one.loop])
def test_the_slope_of_a_loop_is_the_derivative_of_its_value(name):
    """As plain Python functions; test_layers.py compares them compiled with torch."""
    loop = ACTIVATIONS[name].loop
    assert loop is not None
    value, slope = loop()
    for z in (-3.0, -0.7, 0.4, 2.5):
        ahead, behind = (float(value(torch_float(z + h))) for h in (1e-2, -1e-2))
        assert float(slope(torch_float(z))) == pytest.approx((ahead - behind) / 2e-2, abs=1e-3)


def torch_float(z):
    """A NumPy float32, as the loops hold."""
    return torch.tensor(z, dtype=torch.float32).numpy()[()]


def test_what_torch_computes_is_logged_once(caplog):
    log_torch_instead.cache_clear()
    with caplog.at_level(logging.INFO):
        for _ in range(3):
            log_torch_instead("model.activation=mish", "evaluation")
    assert [record.getMessage() for record in caplog.records] == [
        "model.activation=mish: not part of the fused evaluation, so torch's modules compute it"
    ]
