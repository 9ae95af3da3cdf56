"""Loops over rows, compiled by numba: norm, activation and dropout in one pass over memory.

    z = (x - center) * scale + shift        one center, scale and shift a column
    y = keep * f(z) / (1 - p)               f an activation, p the share dropped

The matrices are (rows, columns), of float32 or, as uint16, of bfloat16; all is computed in
float32. No mask is stored: a hash of key, row and column says whether an element is kept,
wherever that is asked. Threads share out blocks of rows and sums are kept block by block,
so nothing depends on the number of threads.

Each function here gives the address of a C function for `threads.run`, compiled when first
asked for and then kept on disk. Its arguments are pointers, in this order, to int64 rows and
columns; to a `dropout` (5,) uint32, being the key's halves, p * 2**32, the bits of float32
1 / (1 - p) and the first row's number; to float32 coefficients (k, columns); and to matrices
and sums.
"""

# numba gives the loops their types.
# mypy: ignore-errors

import zlib
from functools import cache
from pathlib import Path

import numpy as np
from llvmlite import binding
from numba import carray, cfunc, njit, types

from framesweep.kernels import activations, elementary, openmp, scalars
from framesweep.kernels.elementary import INLINE, OPTIONS, ZERO
from framesweep.kernels.scalars import (
    FIRST,
    SECOND,
    activate,
    load,
    mixed,
    slope,
    store,
)

BLOCK_ROWS = 64
"""Rows to a block: so many are summed in float32."""

_GOLDEN = np.uint32(0x9E3779B9)
SIGNATURE = types.void(types.CPointer(types.voidptr))

binding.load_library_permanently(str(openmp.library()))
thread_number = types.ExternalFunction("omp_get_thread_num", types.int32())
num_threads = types.ExternalFunction("omp_get_num_threads", types.int32())


# Numba finds a compiled loop on disk by the time stamp of this file and the constants that the
# loop takes from outside. Each loop takes this checksum, so that a change of the functions that
# are compiled into it makes another loop, too.
_INLINED = (scalars, activations, elementary)
SCALARS = zlib.crc32(b"".join(Path(module.__file__).read_bytes() for module in _INLINED))


@njit(**INLINE)
def _my_blocks(rows, _scalars):
    """First block, end and stride of the blocks that are this thread's."""
    return thread_number(), (rows + BLOCK_ROWS - 1) // BLOCK_ROWS, num_threads()


@njit(**INLINE)
def _row_key(dropout, row):
    row = np.uint32(np.uint32(row) + dropout[4])
    return mixed(np.uint32(mixed(np.uint32(row ^ dropout[0])) ^ dropout[1]))


@njit(**INLINE)
def _kept(row_key, column, threshold):
    """As `mixed(...) >= threshold`, by the steps that the highest bits need."""
    bits = np.uint32(np.uint32(row_key ^ np.uint32(np.uint32(column) * _GOLDEN)) * FIRST)
    return np.uint32(np.uint32(bits ^ (bits >> np.uint32(15))) * SECOND) >= threshold


@cache
def moments(dtype: type[np.generic]) -> int:
    """Address of: x -> (blocks, 2, columns) sums of x - x[0] and of its square."""
    scalars_sum = SCALARS

    @cfunc(SIGNATURE, **OPTIONS)
    def region(job):
        rows, columns = carray(job[0], (2,), np.int64)
        x = carray(job[1], (rows, columns), dtype)
        first, end, stride = _my_blocks(rows, scalars_sum)
        sums = carray(job[2], (end, 2, columns), np.float32)
        for block in range(first, end, stride):
            total, square = sums[block, 0], sums[block, 1]
            total[:] = ZERO
            square[:] = ZERO
            for i in range(block * BLOCK_ROWS, min(rows, (block + 1) * BLOCK_ROWS)):
                for j in range(columns):
                    difference = load(x[i, j]) - load(x[0, j])
                    total[j] += difference
                    square[j] += difference * difference

    return int(region.address)


@cache
def forward(dtype: type[np.generic], activation: str) -> int:
    """Address of: dropout, center scale shift, x -> y."""
    scalars_sum = SCALARS

    @cfunc(SIGNATURE, **OPTIONS)
    def region(job):
        rows, columns = carray(job[0], (2,), np.int64)
        dropout = carray(job[1], (5,), np.uint32)
        center, scale, shift = carray(job[2], (3, columns), np.float32)
        x = carray(job[3], (rows, columns), dtype)
        y = carray(job[4], (rows, columns), dtype)
        threshold, rescale = dropout[2], np.uint32(dropout[3]).view(np.float32)
        first, end, stride = _my_blocks(rows, scalars_sum)
        for block in range(first, end, stride):
            for i in range(block * BLOCK_ROWS, min(rows, (block + 1) * BLOCK_ROWS)):
                key = _row_key(dropout, i)
                for j in range(columns):
                    z = (load(x[i, j]) - center[j]) * scale[j] + shift[j]
                    value = activate(activation, z) * rescale
                    y[i, j] = store(value if _kept(key, j, threshold) else ZERO, y[i, j])

    return int(region.address)


@cache
def reduce(dtype: type[np.generic], activation: str) -> int:
    """Address of: dropout, center scale shift, x, dL/dy -> (blocks, 2, columns) sums of
    dL/dz * (1 - p) and of that times x - center."""
    scalars_sum = SCALARS

    @cfunc(SIGNATURE, **OPTIONS)
    def region(job):
        rows, columns = carray(job[0], (2,), np.int64)
        dropout = carray(job[1], (5,), np.uint32)
        center, scale, shift = carray(job[2], (3, columns), np.float32)
        x = carray(job[3], (rows, columns), dtype)
        gradient = carray(job[4], (rows, columns), dtype)
        threshold = dropout[2]
        first, end, stride = _my_blocks(rows, scalars_sum)
        sums = carray(job[5], (end, 2, columns), np.float32)
        for block in range(first, end, stride):
            total, product = sums[block, 0], sums[block, 1]
            total[:] = ZERO
            product[:] = ZERO
            for i in range(block * BLOCK_ROWS, min(rows, (block + 1) * BLOCK_ROWS)):
                key = _row_key(dropout, i)
                for j in range(columns):
                    centered = load(x[i, j]) - center[j]
                    steep = slope(activation, centered * scale[j] + shift[j])
                    dz = load(gradient[i, j]) * steep
                    dz = dz if _kept(key, j, threshold) else ZERO
                    total[j] += dz
                    product[j] += dz * centered

    return int(region.address)


@cache
def backward(dtype: type[np.generic], activation: str) -> int:
    """Address of: dropout, center scale shift a b c, x, dL/dy -> dL/dx, being
    a * dL/dz * (1 - p) + b * (x - center) + c."""
    scalars_sum = SCALARS

    @cfunc(SIGNATURE, **OPTIONS)
    def region(job):
        rows, columns = carray(job[0], (2,), np.int64)
        dropout = carray(job[1], (5,), np.uint32)
        center, scale, shift, a, b, c = carray(job[2], (6, columns), np.float32)
        x = carray(job[3], (rows, columns), dtype)
        gradient = carray(job[4], (rows, columns), dtype)
        dx = carray(job[5], (rows, columns), dtype)
        threshold = dropout[2]
        first, end, stride = _my_blocks(rows, scalars_sum)
        for block in range(first, end, stride):
            for i in range(block * BLOCK_ROWS, min(rows, (block + 1) * BLOCK_ROWS)):
                key = _row_key(dropout, i)
                for j in range(columns):
                    centered = load(x[i, j]) - center[j]
                    steep = slope(activation, centered * scale[j] + shift[j])
                    dz = load(gradient[i, j]) * steep
                    dz = dz if _kept(key, j, threshold) else ZERO
                    dx[i, j] = store(a[j] * dz + b[j] * centered + c[j], dx[i, j])

    return int(region.address)
