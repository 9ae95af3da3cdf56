"""Loops over columns: what batch norm derives from a batch's sums, in one call instead of
twenty.

As in `rows`, each function returns the address of a C function for `openmp.run_on_threads`. Its
arguments are pointers to the numbers of rows and columns, as (2,) int64, and then to what the
docstring names. Threads divide the columns among them, and all arithmetic is float64.
"""

# numba gives the loops their types.
# mypy: ignore-errors

from functools import cache

import numpy as np
from numba import carray, cfunc, njit

from framesweep.kernels.compilation import INLINE, OPTIONS
from framesweep.kernels.loops.regions import CHECKSUM, SIGNATURE, my_share
from framesweep.kernels.loops.rows import BLOCK_ROWS
from framesweep.kernels.loops.scalars import load


@njit(**INLINE)
def _add_blocks(sums, totals, first, end):
    """Add up (blocks, 2, columns) sums over the blocks, for the columns of a thread."""
    totals[:, first:end] = 0.0
    for block in range(len(sums)):
        for kind in range(2):
            for j in range(first, end):
                totals[kind, j] += sums[block, kind, j]


@cache
def compile_statistics(dtype: type[np.generic]) -> int:
    """Compile: sums by `rows.compile_moments`, x -> (2, columns) mean and biased variance."""
    checksum = CHECKSUM

    @cfunc(SIGNATURE, **OPTIONS)
    def region(job):
        rows, columns = carray(job[0], (2,), np.int64)
        blocks = (rows + BLOCK_ROWS - 1) // BLOCK_ROWS
        sums = carray(job[1], (blocks, 2, columns), np.float32)
        x = carray(job[2], (rows, columns), dtype)
        moments = carray(job[3], (2, columns), np.float64)
        first, end = my_share(columns, checksum)
        _add_blocks(sums, moments, first, end)
        if rows == 0:  # other ranks have the whole batch
            return
        for j in range(first, end):
            offset = moments[0, j] / rows
            variance = moments[1, j] / rows - offset * offset
            moments[0, j] = load(x[0, j]) + offset
            moments[1, j] = 0.0 if variance < 0.0 else variance  # this keeps NaN

    return int(region.address)


@cache
def compile_normalizer() -> int:
    """Compile: (3,) float64 eps, momentum and rows of the whole batch, its moments, weight,
    bias -> updated running mean and variance; coefficients center scale shift, and in row 6
    1 / the standard deviation."""
    checksum = CHECKSUM

    @cfunc(SIGNATURE, **OPTIONS)
    def region(job):
        _, columns = carray(job[0], (2,), np.int64)
        eps, momentum, total_rows = carray(job[1], (3,), np.float64)
        mean, variance = carray(job[2], (2, columns), np.float64)
        weight = carray(job[3], (columns,), np.float32)
        bias = carray(job[4], (columns,), np.float32)
        running_mean = carray(job[5], (columns,), np.float32)
        running_variance = carray(job[6], (columns,), np.float32)
        coefficients = carray(job[7], (7, columns), np.float32)
        unbiased = total_rows / (total_rows - 1.0)
        first, end = my_share(columns, checksum)
        for j in range(first, end):
            running_mean[j] += momentum * (mean[j] - running_mean[j])
            running_variance[j] += momentum * (variance[j] * unbiased - running_variance[j])
            rstd = 1.0 / np.sqrt(variance[j] + eps)
            coefficients[0, j] = mean[j]
            coefficients[1, j] = rstd * weight[j]
            coefficients[2, j] = bias[j]
            coefficients[6, j] = rstd

    return int(region.address)


@cache
def compile_totals() -> int:
    """Compile: (1,) float64 factor, sums by `rows.compile_reduce` -> (2, columns) factor *
    sum."""
    checksum = CHECKSUM

    @cfunc(SIGNATURE, **OPTIONS)
    def region(job):
        rows, columns = carray(job[0], (2,), np.int64)
        factor = carray(job[1], (1,), np.float64)[0]
        blocks = (rows + BLOCK_ROWS - 1) // BLOCK_ROWS
        sums = carray(job[2], (blocks, 2, columns), np.float32)
        total = carray(job[3], (2, columns), np.float64)
        first, end = my_share(columns, checksum)
        _add_blocks(sums, total, first, end)
        for kind in range(2):
            for j in range(first, end):
                total[kind, j] *= factor

    return int(region.address)


@cache
def compile_gradients() -> int:
    """Compile: (2,) float64 1 / (1 - p) and rows of the whole batch, totals of these rows and
    of the batch -> coefficients a b c; (2, columns) float32 dL/dweight and dL/dbias.

    With n rows, totals T0 = sum of dL/dz and T1 = sum of dL/dz * (x - mean), and r = 1 / std,
    the gradient of batch norm (Ioffe and Szegedy, 2015) is

        dL/dx = scale * (dL/dz - T0 / n - (x - mean) * r**2 * T1 / n),

    which is a * dL/dz * (1 - p) + b * (x - mean) + c.
    """
    checksum = CHECKSUM

    @cfunc(SIGNATURE, **OPTIONS)
    def region(job):
        _, columns = carray(job[0], (2,), np.int64)
        rescale, total_rows = carray(job[1], (2,), np.float64)
        own = carray(job[2], (2, columns), np.float64)
        total = carray(job[3], (2, columns), np.float64)
        coefficients = carray(job[4], (7, columns), np.float32)
        parameters = carray(job[5], (2, columns), np.float32)
        first, end = my_share(columns, checksum)
        for j in range(first, end):
            scale, rstd = coefficients[1, j], np.float64(coefficients[6, j])
            coefficients[3, j] = scale * rescale
            coefficients[4, j] = -total[1, j] * rstd * rstd * scale / total_rows
            coefficients[5, j] = -total[0, j] * scale / total_rows
            parameters[0, j] = own[1, j] * rstd
            parameters[1, j] = own[0, j]

    return int(region.address)
