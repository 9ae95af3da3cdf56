"""SGD against its update rule in NumPy."""

from typing import Any

import numpy as np
import pytest
import torch

from framesweep.config.optimizers.sgd import SgdConfig
from framesweep.training.optimizers.build import build_optimizer
from small_network import network


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
    model = network()
    optimizer = build_optimizer(config, model)
    before = {k: p.detach().double().numpy() for k, p in model.named_parameters()}
    grads: dict[str, list[np.ndarray]] = {k: [] for k in before}
    generator = torch.Generator().manual_seed(1)
    for _ in range(4):
        for name, p in model.named_parameters():
            p.grad = torch.randn(p.shape, generator=generator)
            grads[name].append(p.grad.double().numpy())
        optimizer.step()
    for name, p in model.named_parameters():
        decay = config.weight_decay if name.endswith(("linear.weight", "output.weight")) else 0
        expected = numpy_sgd(config, before[name], grads[name], decay)
        np.testing.assert_allclose(p.detach().numpy(), expected, rtol=1e-4, atol=1e-6)
