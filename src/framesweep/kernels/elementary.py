"""Elementary functions of one float32, compiled into the fused loops.

They use only operations that a compiler can apply to many elements at a time; a call into the
C library's `expf` would keep a loop from being vectorized.
"""

# numba gives the functions their types.
# mypy: ignore-errors

import numpy as np
from numba import njit

from framesweep.kernels.compilation import INLINE

ZERO, HALF, ONE, TWO = np.float32(0), np.float32(0.5), np.float32(1), np.float32(2)
_LOG2_E, _LN_2 = np.float32(np.log2(np.e)), np.log(2.0)
# ln 2 in two parts (Cody and Waite, 1980): the first has few enough bits that its product with
# the integer `twos` is exact, so that the subtraction loses nothing.
_LN_2_HIGH = np.float32(0.693359375)
_LN_2_LOW = np.float32(_LN_2 - 0.693359375)
_EXP_LOWEST = np.float32(-87)
_ROUND = np.float32(3 << 22)
"""Adding and subtracting it rounds a small float32 to the nearest integer."""
_EXP = tuple(np.float32(1 / c) for c in (720, 120, 24, 6, 2, 1, 1))
"""Taylor coefficients of e**x, the highest power first."""
_ERF = tuple(
    np.float32(c) for c in (1.061405429, -1.453152027, 1.421413741, -0.284496736, 0.254829592)
)
_ERF_P = np.float32(0.3275911 * np.sqrt(0.5))


@njit(**INLINE)
def exp(x):
    """Return e**x for x of 0 or below, and 0 where that is less than 2**-126."""
    near = x if x > _EXP_LOWEST else _EXP_LOWEST
    twos = (near * _LOG2_E + _ROUND) - _ROUND
    rest = (near - twos * _LN_2_HIGH) - twos * _LN_2_LOW
    series = _EXP[0]
    for index in range(1, 7):
        series = series * rest + _EXP[index]
    # 2**twos, put together from the bits of its exponent.
    exponent = np.int32(np.int32(np.int32(twos) + np.int32(127)) << np.int32(23))
    return series * exponent.view(np.float32) if x > _EXP_LOWEST else ZERO


@njit(**INLINE)
def sigmoid(z):
    """Return 1 / (1 + e**-z), computed from e**-|z|, which can't overflow."""
    tail = exp(-abs(z))
    low = tail / (ONE + tail)
    return low if z < ZERO else ONE - low


@njit(**INLINE)
def tanh(z):
    """Return the hyperbolic tangent, computed from e**-2|z|, which can't overflow."""
    tail = exp(-TWO * abs(z))
    size = (ONE - tail) / (ONE + tail)
    return -size if z < ZERO else size


@njit(**INLINE)
def normal_cdf(z, bell):
    """Return P(Z <= z), given bell = exp(-z**2 / 2) (Abramowitz and Stegun 7.1.26)."""
    t = ONE / (ONE + _ERF_P * abs(z))
    series = _ERF[0]
    for index in range(1, 5):
        series = series * t + _ERF[index]
    tail = HALF * series * t * bell
    return tail if z < ZERO else ONE - tail
