"""A permutation is one, and an accelerator computes the same values as the CPU."""

import numpy as np
import pytest
import torch

from framesweep.training import permutation
from framesweep.training.permutation import Permutation

CPU = torch.device("cpu")


def make(size: int, seed: int = 3) -> Permutation:
    return Permutation(torch.Generator().manual_seed(seed), size)


@pytest.mark.parametrize("size", [1, 2, 63, 64, 65, 1000, 4096, 65_537])
def test_each_number_is_the_value_at_one_position(size: int) -> None:
    np.testing.assert_array_equal(np.sort(make(size).values(0, size)), np.arange(size))


@pytest.mark.parametrize(
    "size", [1, 2, 33, 64, 65, 1000, 8192, 8193, 65_537, 200_000, 18_500_000]
)
def test_the_values_on_a_device_are_those_on_the_cpu(size: int) -> None:
    for first, end in ((0, min(size, 30_000)), (size // 3, min(size // 3 + 777, size))):
        expected = torch.from_numpy(make(size).values(first, end))
        assert torch.equal(make(size).values_on(CPU, first, end), expected)


def test_numbers_are_taken_out_to_be_walked_further(monkeypatch: pytest.MonkeyPatch) -> None:
    # Just above a power of two, nearly half of all numbers are outside after each walk.
    size, count = (1 << 20) + 1, 1 << 18
    lengths = []
    walk_on = Permutation._walk_on

    def record(self, numbers, *rest):
        lengths.append(len(numbers))
        return walk_on(self, numbers, *rest)

    monkeypatch.setattr(Permutation, "_walk_on", record)
    found = make(size).values_on(CPU, 0, count)
    assert torch.equal(found, torch.from_numpy(make(size).values(0, count)))
    assert lengths[0] == count
    assert lengths[1] < count / 6
    assert lengths[2] < count / 60
    assert sum(permutation.STAGES) < make(size)._count_walks() < 64
