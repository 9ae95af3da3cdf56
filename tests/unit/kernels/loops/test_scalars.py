"""The functions of one element that are compiled into the loops."""

import sys

import numpy as np
import pytest
import torch

from framesweep.kernels.activations import ACTIVATIONS

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the loops need GNU OpenMP")


@pytest.fixture
def numbers() -> torch.Tensor:
    """Numbers of all sizes, with ties between two neighbors among bfloat16."""
    generator = torch.Generator().manual_seed(0)
    exponents = torch.randint(-30, 30, (500,), generator=generator)
    spread = torch.randn(500, generator=generator) * 2.0**exponents
    ties = torch.tensor([1 + 2**-8, 1 + 3 * 2**-8, -1 - 2**-8])
    return torch.cat((spread, ties, torch.tensor([0.0, float("inf"), float("-inf")])))


def test_numbers_are_stored_in_bfloat16_as_torch_rounds_them(numbers):
    from numba import njit

    from framesweep.kernels.loops.scalars import store

    @njit
    def rounded(value, like):
        return store(value, like)

    like = np.uint16(0)
    found = np.array([rounded(value, like) for value in numbers.numpy()], dtype=np.uint16)
    expected = numbers.to(torch.bfloat16).view(torch.uint16).numpy()
    np.testing.assert_array_equal(found, expected)


def test_bfloat16_is_loaded_exactly(numbers):
    from numba import njit

    from framesweep.kernels.loops.scalars import load

    @njit
    def loaded(value):
        return load(value)

    half = numbers.to(torch.bfloat16)
    found = [loaded(bits) for bits in half.view(torch.uint16).numpy()]
    np.testing.assert_array_equal(np.array(found, dtype=np.float32), half.float().numpy())


def test_the_hash_maps_different_numbers_to_different_ones_with_half_of_the_bits_changed():
    from framesweep.kernels.loops.scalars import mix

    hashes = np.array([mix(np.uint32(number)) for number in range(4096)], dtype=np.uint32)
    assert len(np.unique(hashes)) == len(hashes)
    changed = np.bitwise_count(hashes[1:] ^ hashes[:-1])
    assert changed.mean() == pytest.approx(16, abs=0.3)


@pytest.mark.parametrize("name", [n for n, one in ACTIVATIONS.items() if one.loop])
def test_a_compiled_activation_and_its_slope_are_those_of_torch(name):
    from numba import njit

    from framesweep.kernels.loops.scalars import activate, slope

    value = njit(lambda z: activate(name, z))
    derivative = njit(lambda z: slope(name, z))
    z = torch.linspace(-8, 8, 401).requires_grad_()
    expected = ACTIVATIONS[name].module()(z)
    expected.sum().backward()
    assert z.grad is not None
    points = z.detach().numpy()
    np.testing.assert_allclose(
        [value(point) for point in points], expected.detach().numpy(), atol=2e-6
    )
    np.testing.assert_allclose(
        [derivative(point) for point in points], z.grad.numpy(), atol=2e-6
    )
