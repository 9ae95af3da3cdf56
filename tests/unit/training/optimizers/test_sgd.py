"""SGD against its update rule in NumPy."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from framesweep.config.optimizers.sgd import SgdConfig
from framesweep.system.hardware import Hardware
from framesweep.training.optimizers.build import build_optimizer
from small_network import batch, check_update_rule, network


def numpy_sgd(
    config: SgdConfig, w: np.ndarray, grads: list[np.ndarray], decay: float
) -> np.ndarray:
    buffer = np.zeros_like(w)
    for g in grads:
        full = g + decay * w
        buffer = config.momentum * buffer + full
        w = w - config.lr * (full + config.momentum * buffer if config.nesterov else buffer)
    return w


@pytest.mark.parametrize(
    "config",
    [
        SgdConfig(lr=0.1, weight_decay=0.1, momentum=0.7),
        SgdConfig(lr=0.1, weight_decay=0.1, momentum=0.7, nesterov=False),
        SgdConfig(lr=0.1, momentum=0.0, nesterov=False),
    ],
)
def test_the_update_is_the_published_rule_and_only_matrices_decay(config: Any) -> None:
    check_update_rule(config, numpy_sgd)


def test_an_overflow_in_the_first_fp16_step_leaves_weights_and_momentum_intact() -> None:
    hardware = Hardware(torch.device("cpu"), "fp16", threads=1, compile=False)
    model = network()
    optimizer = build_optimizer(SgdConfig(lr=0.1, momentum=0.9), model)
    before = [parameter.detach().clone() for parameter in model.parameters()]
    for number, factor in enumerate((math.inf, 1.0, 1.0)):
        x, labels = batch(number)
        optimizer.zero_grad()
        hardware.backward(nn.functional.cross_entropy(model(x), labels) * factor)
        hardware.unscale(optimizer)
        hardware.step(optimizer)
        if factor == math.inf:
            for parameter, start in zip(model.parameters(), before, strict=True):
                assert torch.equal(parameter, start)
                assert not optimizer.state[parameter]["momentum_buffer"].any()
    # What a run computes whose first step has not overflowed.
    twin = network()
    twin.load_state_dict(
        {k: v for k, v in model.state_dict().items() if "running" in k or "num" in k},
        strict=False,
    )
    reference = torch.optim.SGD(twin.parameters(), lr=0.1, momentum=0.9, nesterov=True)
    for number in (1, 2):
        x, labels = batch(number)
        reference.zero_grad()
        nn.functional.cross_entropy(twin(x), labels).backward()
        reference.step()
    for found, expected in zip(model.parameters(), twin.parameters(), strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def test_sgd_without_momentum_has_no_state() -> None:
    optimizer = build_optimizer(SgdConfig(momentum=0.0, nesterov=False), network())
    assert not optimizer.state
