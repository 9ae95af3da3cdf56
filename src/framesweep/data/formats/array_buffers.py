"""Arrays over bytes that came from a file: nothing is made that the bytes do not fill."""

import math
import re
import sys
from typing import Any

import numpy as np

from framesweep.data.corpus import Array
from framesweep.errors import DataError

MAX_RANK = 64
"""Dimensions of an array; numpy's own limit."""

# Booleans, integers, floats, byte strings, strings, objects; as numpy names them in files.
_DTYPE = re.compile(r"[<>|=]?(\?|b1|[iu][1248]|f[248]|[SU][1-9][0-9]{0,5}|O[48]?)")


def plain_dtype(name: str, where: object) -> np.dtype[Any]:
    """The dtype that a file calls `name`; raises DataError for any but a plain one."""
    if _DTYPE.fullmatch(name) is None:
        raise DataError(
            where,
            "arrays must be of floats, integers, strings or objects",
            found=name[:40],
        )
    return np.dtype(object) if "O" in name else np.dtype(name)


def view(
    data: memoryview,
    dtype: np.dtype[Any],
    shape: tuple[Any, ...],
    *,
    fortran_order: bool,
    where: object,
) -> Array:
    """A read-only array of `shape` over `data`, which it must fill to the byte.

    Raises:
        DataError: it does not, `shape` is none, or what should be text is not.
    """
    if dtype.hasobject:
        raise DataError(where, "objects must not be made of bytes")
    check_shape(shape, where)
    expected = math.prod(shape) * dtype.itemsize
    if len(data) != expected:
        raise DataError(
            where,
            "an array's bytes must be as many as its shape says",
            found=f"{len(data)} for {str(shape)[:60]} {dtype}",
            fix="The file may be cut short; fetch or save it again.",
        )
    if dtype.kind == "U":
        codes = np.frombuffer(data, np.dtype(np.uint32).newbyteorder(dtype.byteorder))
        if codes.max(initial=0) > sys.maxunicode:
            raise DataError(
                where, "strings must be of Unicode characters", found=hex(codes.max())
            )
    try:
        return np.ndarray(shape, dtype, data, order="F" if fortran_order else "C")
    except (ValueError, OverflowError) as error:
        raise DataError(where, f"arrays must have a shape numpy can hold ({error})") from None


def check_shape(shape: tuple[Any, ...], where: object) -> None:
    """Raises DataError unless `shape` is up to 64 sizes of 0 to 2**62."""
    if len(shape) > MAX_RANK or not all(type(n) is int and 0 <= n <= 2**62 for n in shape):
        raise DataError(where, "arrays must have a shape of a few whole numbers")


def native(array: Array) -> Array:
    """`array` in C order, aligned, in the processor's byte order; a copy only where needed."""
    return np.require(array, array.dtype.newbyteorder("="), ["C", "A"])
