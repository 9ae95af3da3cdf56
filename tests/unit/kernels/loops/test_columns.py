"""The loops over columns, called as `layers` calls them, against batch norm in NumPy."""

import sys

import numpy as np
import pytest

from framesweep.kernels import openmp

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the loops need GNU OpenMP")

NUM_ROWS, NUM_COLUMNS = 150, 6


def run(address: int, *arrays: np.ndarray) -> None:
    shape = np.array([NUM_ROWS, NUM_COLUMNS], dtype=np.int64)
    openmp.run_on_threads(address, tuple(a.ctypes.data for a in (shape, *arrays)))


@pytest.fixture
def x() -> np.ndarray:
    rng = np.random.default_rng(1)
    return (rng.normal(size=(NUM_ROWS, NUM_COLUMNS)) + 100).astype(np.float32)


@pytest.fixture
def moments(x) -> np.ndarray:
    from framesweep.kernels.loops import columns, rows

    num_blocks = -(-NUM_ROWS // rows.BLOCK_ROWS)
    sums = np.empty((num_blocks, 2, NUM_COLUMNS), dtype=np.float32)
    run(rows.compile_moments(np.float32), x, sums)
    moments = np.empty((2, NUM_COLUMNS))
    run(columns.compile_statistics(np.float32), sums, x, moments)
    return moments


def test_statistics_are_the_mean_and_the_biased_variance(x, moments):
    np.testing.assert_allclose(moments[0], x.astype(np.float64).mean(0), rtol=1e-7)
    np.testing.assert_allclose(moments[1], x.astype(np.float64).var(0), rtol=1e-5)


def test_the_normalizer_updates_running_statistics_and_gives_coefficients(moments):
    from framesweep.kernels.loops import columns

    rng = np.random.default_rng(2)
    weight, bias = rng.normal(size=(2, NUM_COLUMNS)).astype(np.float32)
    mean, variance = np.zeros((2, NUM_COLUMNS), dtype=np.float32)
    variance[:] = 1
    coefficients = np.zeros((7, NUM_COLUMNS), dtype=np.float32)
    numbers = np.array([1e-5, 0.1, NUM_ROWS])
    address = columns.compile_normalizer()
    run(address, numbers, moments, weight, bias, mean, variance, coefficients)
    unbiased = moments[1] * NUM_ROWS / (NUM_ROWS - 1)
    np.testing.assert_allclose(mean, 0.1 * moments[0], rtol=1e-6)
    np.testing.assert_allclose(variance, 0.9 + 0.1 * unbiased, rtol=1e-6)
    rstd = 1 / np.sqrt(moments[1] + 1e-5)
    np.testing.assert_allclose(coefficients[0], moments[0], rtol=1e-6)
    np.testing.assert_allclose(coefficients[1], rstd * weight, rtol=1e-6)
    np.testing.assert_allclose(coefficients[2], bias)
    np.testing.assert_allclose(coefficients[6], rstd, rtol=1e-6)


def test_totals_are_the_sums_of_all_blocks_times_a_factor():
    from framesweep.kernels.loops import columns, rows

    num_blocks = -(-NUM_ROWS // rows.BLOCK_ROWS)
    rng = np.random.default_rng(3)
    sums = rng.normal(size=(num_blocks, 2, NUM_COLUMNS)).astype(np.float32)
    totals = np.empty((2, NUM_COLUMNS))
    run(columns.compile_totals(), np.array([1.25]), sums, totals)
    np.testing.assert_allclose(totals, 1.25 * sums.astype(np.float64).sum(0), rtol=1e-12)


def test_the_gradient_of_batch_norm_is_the_published_formula():
    """With dz = dL/dz and n rows: dx = scale * (dz - sum(dz) / n - (x - m) r**2 sum / n)."""
    from framesweep.kernels.loops import columns

    rng = np.random.default_rng(4)
    own, total = rng.normal(size=(2, 2, NUM_COLUMNS))
    coefficients = rng.normal(size=(7, NUM_COLUMNS)).astype(np.float32)
    scale, rstd = coefficients[1].astype(float), coefficients[6].astype(float)
    parameters = np.empty((2, NUM_COLUMNS), dtype=np.float32)
    rescale, num_rows = 1.25, 400.0
    address = columns.compile_gradients()
    run(address, np.array([rescale, num_rows]), own, total, coefficients, parameters)
    np.testing.assert_allclose(coefficients[3], scale * rescale, rtol=1e-6)
    np.testing.assert_allclose(
        coefficients[4], -scale * rstd**2 * total[1] / num_rows, rtol=1e-6
    )
    np.testing.assert_allclose(coefficients[5], -scale * total[0] / num_rows, rtol=1e-6)
    np.testing.assert_allclose(parameters[0], own[1] * rstd, rtol=1e-6)
    np.testing.assert_allclose(parameters[1], own[0], rtol=1e-6)
