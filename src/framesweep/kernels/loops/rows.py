"""Loops over rows, compiled by numba: norm, activation and dropout in one pass over memory.

    z = (x - center) * scale + shift        with one center, scale and shift per column
    y = keep * f(z) / (1 - p)               f is the activation, p the dropout probability

The matrices are (rows, columns), of float32 or of bfloat16 as uint16; all arithmetic is
float32. No mask is stored: whether an element is kept is a hash of a key, its row and its
column, which the forward and the backward pass both compute. Threads divide the blocks of rows
among them, and sums are kept per block, so that no result depends on the number of threads.

Each function here returns the address of a C function for `openmp.run_on_threads`, which is
compiled on first use and then cached on disk. The arguments of the C function are pointers, in
this order:

- (2,) int64: the numbers of rows and columns,
- `dropout` (5,) uint32: both halves of the key, p * 2**32, the bits of the float32 1 / (1 - p),
  and the number of the first row,
- float32 coefficients (k, columns), and
- matrices and sums.

`compile_moments` takes neither `dropout` nor coefficients, `compile_backward` no `dropout`, and
`compile_dropout` no coefficients.
"""

# numba gives the loops their types.
# mypy: ignore-errors

from functools import cache

import numpy as np
from numba import carray, cfunc, njit

from framesweep.kernels.compilation import INLINE, OPTIONS
from framesweep.kernels.elementary import ZERO
from framesweep.kernels.loops.regions import CHECKSUM, SIGNATURE, num_threads, thread_number
from framesweep.kernels.loops.scalars import (
    FIRST,
    SECOND,
    activate,
    load,
    mix,
    slope,
    store,
)

BLOCK_ROWS = 64
"""Rows per block. Within a block sums are float32, which is fast and precise enough; blocks are
summed in float64."""

_GOLDEN = np.uint32(0x9E3779B9)
"""2**32 over the golden ratio; multiples of it are spread evenly over 32 bits."""


@njit(**INLINE)
def _my_blocks(rows, _checksum):
    """Return the first block of this thread, the end of all blocks, and the stride.

    The checksum is an argument only so that each loop contains it; see `regions`.
    """
    return thread_number(), (rows + BLOCK_ROWS - 1) // BLOCK_ROWS, num_threads()


@njit(**INLINE)
def _row_key(dropout, row):
    """Return a hash of the key and the row, which all columns of the row share."""
    row = np.uint32(np.uint32(row) + dropout[4])
    return mix(np.uint32(mix(np.uint32(row ^ dropout[0])) ^ dropout[1]))


@njit(**INLINE)
def _kept(drops, row_key, column, threshold):
    """Return whether an element is kept, with probability 1 - threshold / 2**32.

    It is the hash `mix` of the row's key and the column, without its first and last shift: they
    only improve the low bits, and a comparison depends on the high ones.
    """
    if not drops:  # a constant of each loop, so that a loop that drops nothing has no hash
        return True
    bits = np.uint32(np.uint32(row_key ^ np.uint32(np.uint32(column) * _GOLDEN)) * FIRST)
    return np.uint32(np.uint32(bits ^ (bits >> np.uint32(15))) * SECOND) >= threshold


@cache
def compile_moments(dtype: type[np.generic]) -> int:
    """Compile: x -> (blocks, 2, columns) sums of x - x[0] and of its square."""
    checksum = CHECKSUM

    @cfunc(SIGNATURE, **OPTIONS)
    def region(job):
        rows, columns = carray(job[0], (2,), np.int64)
        x = carray(job[1], (rows, columns), dtype)
        first, end, stride = _my_blocks(rows, checksum)
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
def compile_forward(dtype: type[np.generic], activation: str, drops: bool) -> int:
    """Compile: dropout, center scale shift, x -> y; without `drops` p is 0."""
    checksum = CHECKSUM

    @cfunc(SIGNATURE, **OPTIONS)
    def region(job):
        rows, columns = carray(job[0], (2,), np.int64)
        dropout = carray(job[1], (5,), np.uint32)
        center, scale, shift = carray(job[2], (3, columns), np.float32)
        x = carray(job[3], (rows, columns), dtype)
        y = carray(job[4], (rows, columns), dtype)
        threshold, rescale = dropout[2], np.uint32(dropout[3]).view(np.float32)
        first, end, stride = _my_blocks(rows, checksum)
        for block in range(first, end, stride):
            for i in range(block * BLOCK_ROWS, min(rows, (block + 1) * BLOCK_ROWS)):
                key = _row_key(dropout, i)
                for j in range(columns):
                    z = (load(x[i, j]) - center[j]) * scale[j] + shift[j]
                    value = activate(activation, z) * rescale
                    y[i, j] = store(value if _kept(drops, key, j, threshold) else ZERO, y[i, j])

    return int(region.address)


@cache
def compile_dropout(dtype: type[np.generic]) -> int:
    """Compile: dropout, x -> y; with dL/dy as x, y is dL/dx."""
    checksum = CHECKSUM

    @cfunc(SIGNATURE, **OPTIONS)
    def region(job):
        rows, columns = carray(job[0], (2,), np.int64)
        dropout = carray(job[1], (5,), np.uint32)
        x = carray(job[2], (rows, columns), dtype)
        y = carray(job[3], (rows, columns), dtype)
        threshold, rescale = dropout[2], np.uint32(dropout[3]).view(np.float32)
        first, end, stride = _my_blocks(rows, checksum)
        for block in range(first, end, stride):
            for i in range(block * BLOCK_ROWS, min(rows, (block + 1) * BLOCK_ROWS)):
                key = _row_key(dropout, i)
                for j in range(columns):
                    value = load(x[i, j]) * rescale
                    y[i, j] = store(value if _kept(True, key, j, threshold) else ZERO, y[i, j])

    return int(region.address)


@cache
def compile_reduce(dtype: type[np.generic], activation: str, drops: bool) -> int:
    """Compile: dropout, center scale shift, x, dL/dy -> (blocks, 2, columns) sums of
    dL/dz * (1 - p) and of that times x - center; (rows, columns) dL/dz * (1 - p)."""
    checksum = CHECKSUM

    @cfunc(SIGNATURE, **OPTIONS)
    def region(job):
        rows, columns = carray(job[0], (2,), np.int64)
        dropout = carray(job[1], (5,), np.uint32)
        center, scale, shift = carray(job[2], (3, columns), np.float32)
        x = carray(job[3], (rows, columns), dtype)
        gradient = carray(job[4], (rows, columns), dtype)
        threshold = dropout[2]
        first, end, stride = _my_blocks(rows, checksum)
        sums = carray(job[5], (end, 2, columns), np.float32)
        output = carray(job[6], (rows, columns), dtype)
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
                    dz = dz if _kept(drops, key, j, threshold) else ZERO
                    total[j] += dz
                    product[j] += dz * centered
                    output[i, j] = store(dz, output[i, j])

    return int(region.address)


@cache
def compile_backward(dtype: type[np.generic]) -> int:
    """Compile: center scale shift a b c, x, dL/dz * (1 - p) -> dL/dx in place of the latter:
    a * dL/dz * (1 - p) + b * (x - center) + c.

    `columns.compile_gradients` derives a, b and c from the gradient of batch norm.
    """
    checksum = CHECKSUM

    @cfunc(SIGNATURE, **OPTIONS)
    def region(job):
        rows, columns = carray(job[0], (2,), np.int64)
        center, _, _, a, b, c = carray(job[1], (6, columns), np.float32)
        x = carray(job[2], (rows, columns), dtype)
        gradient = carray(job[3], (rows, columns), dtype)
        first, end, stride = _my_blocks(rows, checksum)
        for block in range(first, end, stride):
            for i in range(block * BLOCK_ROWS, min(rows, (block + 1) * BLOCK_ROWS)):
                for j in range(columns):
                    dz, centered = load(gradient[i, j]), load(x[i, j]) - center[j]
                    dx = a[j] * dz + b[j] * centered + c[j]
                    gradient[i, j] = store(dx, gradient[i, j])

    return int(region.address)
