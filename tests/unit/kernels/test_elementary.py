"""The elementary functions of the loops against NumPy and SciPy in float64."""

import sys

import numpy as np
import pytest
from scipy.stats import norm

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the loops need GNU OpenMP")


def applied(function, z):
    """A compiled function of one float32, applied to each of an array."""
    from numba import vectorize

    return vectorize(["float32(float32)"], nopython=True)(function.py_func)(z)


def test_exp_is_close_below_zero_and_zero_where_it_would_underflow():
    from framesweep.kernels.elementary import exp

    z = np.linspace(-86, 0, 2001, dtype=np.float32)
    found = applied(exp, z)
    np.testing.assert_allclose(found, np.exp(z.astype(np.float64)), rtol=1e-6)
    assert applied(exp, np.array([-88, -1e30], dtype=np.float32)).tolist() == [0, 0]


def test_sigmoid_is_close_and_does_not_overflow():
    from framesweep.kernels.elementary import sigmoid

    z = np.concatenate((np.linspace(-60, 60, 2001), [-3e38, 3e38])).astype(np.float32)
    found = np.array([sigmoid(value) for value in z])
    with np.errstate(over="ignore"):
        expected = 1 / (1 + np.exp(-z.astype(np.float64)))
    np.testing.assert_allclose(found, expected, atol=1e-7)


def test_the_hyperbolic_tangent_is_close_and_does_not_overflow():
    from framesweep.kernels.elementary import tanh

    z = np.concatenate((np.linspace(-30, 30, 2001), [-3e38, 3e38])).astype(np.float32)
    found = np.array([tanh(value) for value in z])
    np.testing.assert_allclose(found, np.tanh(z.astype(np.float64)), atol=1e-7)


def test_the_normal_distribution_is_as_close_as_its_source_says():
    """Abramowitz and Stegun give an error of erf below 1.5e-7."""
    from framesweep.kernels.elementary import normal_cdf

    z = np.linspace(-6, 6, 2001, dtype=np.float32)
    bell = np.exp(-(z.astype(np.float64) ** 2) / 2).astype(np.float32)
    found = np.array([normal_cdf(a, b) for a, b in zip(z, bell, strict=True)])
    np.testing.assert_allclose(found, norm.cdf(z.astype(np.float64)), atol=2e-7)
