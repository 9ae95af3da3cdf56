"""Adam and AdamW against their update rules in NumPy."""

from typing import Any

import numpy as np
import pytest

from framesweep.config.optimizers.adam import AdamConfig, AdamWConfig
from small_network import check_update_rule


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
    check_update_rule(config, numpy_adam)
