"""Adam and AdamW against their update rules in NumPy."""

from typing import Any

import numpy as np
import pytest
import torch

from framesweep.config.optimizers.adam import AdamConfig, AdamWConfig
from framesweep.training.optimizers.build import build_optimizer
from small_network import network


def numpy_adam(
    config: AdamConfig, w: np.ndarray, grads: list[np.ndarray], decay: float
) -> np.ndarray:
    """Kingma and Ba's algorithm 1; decay decoupled for AdamW, else added to the gradient."""
    decoupled = isinstance(config, AdamWConfig)
    m = v = np.zeros_like(w)
    for t, g in enumerate(grads, start=1):
        full = g if decoupled else g + decay * w
        w = w * (1 - config.lr * decay) if decoupled else w
        m = config.beta1 * m + (1 - config.beta1) * full
        v = config.beta2 * v + (1 - config.beta2) * full * full
        m_hat, v_hat = m / (1 - config.beta1**t), v / (1 - config.beta2**t)
        w = w - config.lr * m_hat / (np.sqrt(v_hat) + config.eps)
    return w


@pytest.mark.parametrize(
    "config",
    [
        AdamConfig(lr=0.01, weight_decay=0.1, beta1=0.8, beta2=0.95, eps=1e-3),
        AdamWConfig(lr=0.01, weight_decay=0.5, beta1=0.8),
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
        expected = numpy_adam(config, before[name], grads[name], decay)
        np.testing.assert_allclose(p.detach().numpy(), expected, rtol=1e-4, atol=1e-6)
