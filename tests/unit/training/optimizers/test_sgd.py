"""SGD against its update rule in NumPy."""

from typing import Any

import numpy as np
import pytest

from framesweep.config.optimizers.sgd import SgdConfig
from small_network import check_update_rule


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
