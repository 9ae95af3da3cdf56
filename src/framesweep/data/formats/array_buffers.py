"""Views arrays over bytes read from a file, without ever allocating what the file declares.

A file can declare any dtype and shape. These functions check both against the bytes that are
really there before numpy sees them, so a damaged or hostile file costs no memory beyond its
own size.
"""

import math
import re
import sys
from typing import Any

import numpy as np

from framesweep.data.corpus import Array
from framesweep.errors import DataError

MAX_RANK = 64
"""Largest number of dimensions of an array; numpy's own limit."""

# Booleans, integers, floats, byte strings, strings and objects, as numpy spells them in files.
# Structured dtypes are left out because they can hide object fields; datetime and void dtypes
# because no corpus needs them.
_DTYPE = re.compile(r"[<>|=]?(\?|b1|[iu][1248]|f[248]|[SU][1-9][0-9]{0,5}|O[48]?)")


def parse_dtype(name: str, where: object) -> np.dtype[Any]:
    """Return the dtype that a file calls `name`.

    Args:
        name: numpy's spelling, such as `<f4`.
        where: the file, for error messages.

    Raises:
        DataError: `name` is not a boolean, integer, float, string or object dtype.
    """
    if _DTYPE.fullmatch(name) is None:
        raise DataError(
            where,
            "arrays must contain floats, integers, strings or objects",
            found=name[:40],
        )
    return np.dtype(object) if "O" in name else np.dtype(name)


def view_array(
    data: memoryview,
    dtype: np.dtype[Any],
    shape: tuple[Any, ...],
    *,
    fortran_order: bool,
    where: object,
) -> Array:
    """Return a read-only array of `shape` over `data` without copying.

    Raises:
        DataError: the number of bytes does not match the shape, the shape is invalid, or a
            string contains code points beyond Unicode.
    """
    if dtype.hasobject:
        # The bytes would be taken as pointers to Python objects.
        raise DataError(where, "object arrays must not be stored as raw bytes")
    validate_shape(shape, where)
    expected = math.prod(shape) * dtype.itemsize
    if len(data) != expected:
        raise DataError(
            where,
            "the number of bytes must match the array's shape",
            found=f"{len(data)} for {str(shape)[:60]} {dtype}",
            fix="The file may be truncated; download or save it again.",
        )
    if dtype.kind == "U":
        # numpy stores strings as UCS-4 without validating them; whoever reads an invalid code
        # point later gets a SystemError.
        codes = np.frombuffer(data, np.dtype(np.uint32).newbyteorder(dtype.byteorder))
        if codes.max(initial=0) > sys.maxunicode:
            raise DataError(
                where, "strings must contain Unicode characters only", found=hex(codes.max())
            )
    try:
        return np.ndarray(shape, dtype, data, order="F" if fortran_order else "C")
    except (ValueError, OverflowError) as error:
        raise DataError(
            where, f"arrays must have a shape that numpy supports ({error})"
        ) from None


def validate_shape(shape: tuple[Any, ...], where: object) -> None:
    """Raise DataError unless `shape` consists of at most 64 integers from 0 to 2**62."""
    # `type(n) is int` also rejects bool, which is an int to isinstance.
    if len(shape) > MAX_RANK or not all(type(n) is int and 0 <= n <= 2**62 for n in shape):
        raise DataError(
            where, f"an array's shape must be at most {MAX_RANK} non-negative integers"
        )


def to_native(array: Array) -> Array:
    """Return `array` C-contiguous, aligned and in native byte order; copy only if necessary."""
    return np.require(array, array.dtype.newbyteorder("="), ["C", "A"])
