"""The elementary functions of the loops against NumPy and SciPy in float64."""

import sys

import numpy as np
import pytest
from scipy.stats import norm

from framesweep.kernels import elementary

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


def test_the_normal_distribution_is_as_close_as_its_source_says():
    """Abramowitz and Stegun give an error of erf below 1.5e-7."""
    from framesweep.kernels.elementary import normal_cdf

    z = np.linspace(-6, 6, 2001, dtype=np.float32)
    bell = np.exp(-(z.astype(np.float64) ** 2) / 2).astype(np.float32)
    found = np.array([normal_cdf(a, b) for a, b in zip(z, bell, strict=True)])
    np.testing.assert_allclose(found, norm.cdf(z.astype(np.float64)), atol=2e-7)


@pytest.fixture
def features(monkeypatch: pytest.MonkeyPatch) -> dict[str, bool]:
    """The features of a processor with wide vectors, and numba as nobody has set it up."""
    found = {"avx512f": True, "avx2": True}

    class Features(dict[str, bool]):
        def flatten(self) -> str:
            return ",".join(f"{'+' if has else '-'}{name}" for name, has in self.items())

    monkeypatch.setattr(elementary.binding, "get_host_cpu_features", lambda: Features(found))
    monkeypatch.setattr(elementary.config, "CPU_FEATURES", None)
    monkeypatch.setattr(elementary.config, "CPU_NAME", None)
    monkeypatch.setattr(elementary.config, "ENABLE_AVX", 1)
    return found


def test_a_processor_with_wide_vectors_uses_them(features: dict[str, bool]) -> None:
    elementary.prefer_widest()
    assert elementary.config.CPU_FEATURES == "+avx512f,+avx2,-prefer-256-bit"


def test_other_processors_keep_what_llvm_chooses(features: dict[str, bool]) -> None:
    features["avx512f"] = False
    elementary.prefer_widest()
    assert elementary.config.CPU_FEATURES is None


@pytest.mark.parametrize(
    ("name", "value"), [("CPU_FEATURES", "+avx2"), ("CPU_NAME", "generic"), ("ENABLE_AVX", 0)]
)
def test_what_the_user_has_set_remains(
    features: dict[str, bool], monkeypatch: pytest.MonkeyPatch, name: str, value: object
) -> None:
    monkeypatch.setattr(elementary.config, name, value)
    before = elementary.config.CPU_FEATURES
    elementary.prefer_widest()
    assert before == elementary.config.CPU_FEATURES
