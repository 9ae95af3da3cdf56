"""Functions of one element that the loops consist of, each compiled into them."""

# numba gives the functions their types.
# mypy: ignore-errors

from functools import cache

import numpy as np
from numba import njit, types
from numba.extending import overload

from framesweep.kernels.activations import ACTIVATIONS
from framesweep.kernels.compilation import INLINE

# A function that was made within another one has no place in numba's cache on disk. That does
# not matter: the loop that it is compiled into has one.
_UNCACHED = {**INLINE, "cache": False}

FIRST, SECOND = np.uint32(0x7FEB352D), np.uint32(0x846CA68B)
"""Multipliers of a hash (Wellons, hash-prospector, 2018)."""


def load(value):
    """Return the float32 of a float32, or of a bfloat16 whose bits are a uint16."""


def store(value, like):
    """Return `value` in the type of `like`, rounded to the nearest, ties to even."""


def activate(name, z):
    """Return the activation `name` at z."""


def slope(name, z):
    """Return the derivative of the activation `name` at z."""


@overload(load, inline="always")
def _load(value):
    if value == types.uint16:
        # A bfloat16 is the upper half of a float32.
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
def mix(bits):
    """Return a hash of 32 bits as 32 bits."""
    bits = np.uint32(bits ^ (bits >> np.uint32(16)))
    bits = np.uint32(bits * FIRST)
    bits = np.uint32(bits ^ (bits >> np.uint32(15)))
    bits = np.uint32(bits * SECOND)
    return np.uint32(bits ^ (bits >> np.uint32(16)))


@cache
def _compiled(name: str):
    """Return the activation `name` and its derivative, compiled."""
    return tuple(njit(**_UNCACHED)(function) for function in ACTIVATIONS[name].loop())


@overload(activate, inline="always")
def _activate(name, z):
    if not isinstance(name, types.StringLiteral):
        return None  # numba then asks again with the literal
    value, _ = _compiled(name.literal_value)
    return lambda name, z: value(z)


@overload(slope, inline="always")
def _slope(name, z):
    if not isinstance(name, types.StringLiteral):
        return None
    _, derivative = _compiled(name.literal_value)
    return lambda name, z: derivative(z)
