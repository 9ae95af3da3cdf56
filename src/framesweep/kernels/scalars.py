"""Functions of one element that the loops in `rows` are made of, each compiled into them.

All compute in float32, by operations that a compiler can do on many elements at once.
"""

# numba gives the functions their types.
# mypy: ignore-errors

from typing import Any

import numpy as np
from numba import njit, types
from numba.extending import overload

# `contract` lets a product and a sum fuse; NaN and infinity keep their meaning.
OPTIONS: dict[str, Any] = {"fastmath": {"contract"}, "error_model": "numpy", "cache": True}
INLINE = {**OPTIONS, "forceinline": True}
ACTIVATIONS = ("relu", "gelu", "silu", "leaky_relu")

ZERO, HALF, ONE = np.float32(0), np.float32(0.5), np.float32(1)
_LEAK = np.float32(0.01)
_LOG2_E, _LN_2 = np.float32(np.log2(np.e)), np.log(2.0)
_LN_2_HIGH = np.float32(0.693359375)
_LN_2_LOW = np.float32(_LN_2 - 0.693359375)
_EXP_LOWEST = np.float32(-87)
_ROUND = np.float32(3 << 22)
_EXP = tuple(np.float32(1 / c) for c in (720, 120, 24, 6, 2, 1, 1))
_ERF = tuple(
    np.float32(c) for c in (1.061405429, -1.453152027, 1.421413741, -0.284496736, 0.254829592)
)
_ERF_P = np.float32(0.3275911 * np.sqrt(0.5))
FIRST, SECOND = np.uint32(0x7FEB352D), np.uint32(0x846CA68B)
"""Factors of a hash (Wellons, hash-prospector, 2018)."""
_NORMAL = np.float32(1 / np.sqrt(2 * np.pi))


def load(value):
    """float32 of a float32, or of the uint16 that a bfloat16's bits make."""


def store(value, like):
    """`value` as `like` is stored, rounded to nearest even."""


def activate(name, z):
    """The activation `name` at z."""


def slope(name, z):
    """Its derivative."""


@overload(load, inline="always")
def _load(value):
    if value == types.uint16:
        return lambda value: np.uint32(np.uint32(value) << np.uint32(16)).view(np.float32)
    return lambda value: value


@overload(store, inline="always")
def _store(value, like):
    def rounded(value, like):
        bits = np.uint32(np.float32(value).view(np.uint32))
        odd = (bits >> np.uint32(16)) & np.uint32(1)
        return np.uint16(np.uint32(bits + np.uint32(0x7FFF) + odd) >> np.uint32(16))

    return rounded if like == types.uint16 else lambda value, like: value


@njit(**INLINE)
def mixed(bits):
    """A hash of 32 bits to 32 bits."""
    bits = np.uint32(bits ^ (bits >> np.uint32(16)))
    bits = np.uint32(bits * FIRST)
    bits = np.uint32(bits ^ (bits >> np.uint32(15)))
    bits = np.uint32(bits * SECOND)
    return np.uint32(bits ^ (bits >> np.uint32(16)))


@njit(**INLINE)
def _exp(x):
    """e**x for x of 0 and below; 0 where that is under 2**-126."""
    near = x if x > _EXP_LOWEST else _EXP_LOWEST
    twos = (near * _LOG2_E + _ROUND) - _ROUND
    rest = (near - twos * _LN_2_HIGH) - twos * _LN_2_LOW
    series = _EXP[0]
    for index in range(1, 7):
        series = series * rest + _EXP[index]
    exponent = np.int32(np.int32(np.int32(twos) + np.int32(127)) << np.int32(23))
    return series * exponent.view(np.float32) if x > _EXP_LOWEST else ZERO


@njit(**INLINE)
def _sigmoid(z):
    tail = _exp(-abs(z))
    low = tail / (ONE + tail)
    return low if z < ZERO else ONE - low


@njit(**INLINE)
def _normal_cdf(z, bell):
    """P(Z <= z), given bell = exp(-z**2 / 2) (Abramowitz and Stegun 7.1.26)."""
    t = ONE / (ONE + _ERF_P * abs(z))
    series = _ERF[0]
    for index in range(1, 5):
        series = series * t + _ERF[index]
    tail = HALF * series * t * bell
    return tail if z < ZERO else ONE - tail


@overload(activate, inline="always")
def _activate(name, z):
    return {
        "relu": lambda name, z: ZERO if z <= ZERO else z,
        "leaky_relu": lambda name, z: z * _LEAK if z <= ZERO else z,
        "silu": lambda name, z: z * _sigmoid(z),
        "gelu": lambda name, z: z * _normal_cdf(z, _exp(-HALF * z * z)),
    }.get(getattr(name, "literal_value", ""))


@overload(slope, inline="always")
def _slope(name, z):
    def silu(name, z):
        sigmoid = _sigmoid(z)
        return sigmoid * (ONE + z * (ONE - sigmoid))

    def gelu(name, z):
        bell = _exp(-HALF * z * z)
        return _normal_cdf(z, bell) + z * _NORMAL * bell

    return {
        "relu": lambda name, z: ONE if z > ZERO else ZERO,
        "leaky_relu": lambda name, z: ONE if z > ZERO else _LEAK,
        "silu": silu,
        "gelu": gelu,
    }.get(getattr(name, "literal_value", ""))
