"""The registry of activations: torch's module of each, and what the fused loops need of it.

An activation that has no `post_op` or no `loop` is computed by torch's module instead, after a
line in the log. So a new one takes a single entry here.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from torch import nn

log = logging.getLogger(__name__)

PostOp = tuple[str, list[float], str]
"""oneDNN's name of an activation, its parameters, and its variant."""

Scalar = Callable[[Any], Any]
"""A function of one float32, written for numba."""


@dataclass(frozen=True, slots=True)
class Activation:
    """A non-linearity.

    Attributes:
        module: Returns torch's module; the other attributes compute the same faster.
        post_op: What oneDNN calls it, for evaluation in the pass of the matrix product.
        loop: Returns the activation and its derivative, for the fused loops of training. It
            imports numba only when called, because most uses of this registry need none.
    """

    module: Callable[[], nn.Module]
    post_op: PostOp | None = None
    loop: Callable[[], tuple[Scalar, Scalar]] | None = None


ZERO, HALF, ONE = np.float32(0), np.float32(0.5), np.float32(1)
LEAK = np.float32(0.01)
NORMAL = np.float32(1 / np.sqrt(2 * np.pi))
"""Density of the standard normal distribution at 0."""


# Slopes at 0 are those of torch. NaN fails every comparison, so `z if z > ZERO` would lose it:
# each condition sends NaN to the branch that contains z.


def _relu_loop() -> tuple[Scalar, Scalar]:
    return (lambda z: ZERO if z <= ZERO else z), (lambda z: ONE if z > ZERO else ZERO)


def _leaky_relu_loop() -> tuple[Scalar, Scalar]:
    return (lambda z: z * LEAK if z <= ZERO else z), (lambda z: ONE if z > ZERO else LEAK)


def _silu_loop() -> tuple[Scalar, Scalar]:
    from framesweep.kernels.elementary import sigmoid

    def slope(z: Any) -> Any:
        share = sigmoid(z)
        return share * (ONE + z * (ONE - share))

    return (lambda z: z * sigmoid(z)), slope


def _gelu_loop() -> tuple[Scalar, Scalar]:
    from framesweep.kernels.elementary import exp, normal_cdf

    def slope(z: Any) -> Any:
        bell = exp(-HALF * z * z)
        return normal_cdf(z, bell) + z * NORMAL * bell

    return (lambda z: z * normal_cdf(z, exp(-HALF * z * z))), slope


ACTIVATIONS: dict[str, Activation] = {
    "relu": Activation(nn.ReLU, ("relu", [], ""), _relu_loop),
    "gelu": Activation(nn.GELU, ("gelu", [], "none"), _gelu_loop),
    "silu": Activation(nn.SiLU, ("swish", [], ""), _silu_loop),
    "leaky_relu": Activation(nn.LeakyReLU, ("leaky_relu", [0.01], ""), _leaky_relu_loop),
}
"""The values of `model.activation`."""


@cache
def log_torch_instead(module: str, what: str) -> None:
    """Log, once per process, that torch computes `what` because `module` can't be fused."""
    log.info("%s: not part of the fused %s, so torch's modules compute it", module, what)
