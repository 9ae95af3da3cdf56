"""A random permutation whose values are computed where and when they are needed."""

import math
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

ROUNDS = 4
FACTORS = (0x9E3779B97F4A7C15 - (1 << 64), 0x7FEB352D846CA68B)
"""Odd multipliers of the hash function; the first is 2**64 over the golden ratio (as int64)."""

FAILURE = 1e-12
"""Highest probability that `values_on` would not reach the end of a walk."""
STAGES = (3, 4)
"""Walks of `values_on` after which it takes out the numbers that have to be walked further."""
SLACK = 1024
"""Numbers that may have to be walked further beyond twice as many as expected."""

Numbers = TypeVar("Numbers", npt.NDArray[np.int64], Tensor)


class Permutation:
    """A pseudorandom permutation of the numbers from 0 to `size` - 1.

    A Feistel network of four rounds permutes the numbers of a given number of bits (Luby and
    Rackoff, 1988, "How to construct pseudorandom permutations from pseudorandom functions").
    Where it gives a number of `size` or more, it is applied again until it gives a smaller one
    ("cycle walking": Black and Rogaway, 2002, "Ciphers with arbitrary finite domains").

    Args:
        generator: Draws the keys.
        size: How many numbers to permute.
    """

    def __init__(self, generator: torch.Generator, size: int) -> None:
        self._size = size
        self._keys = torch.randint(1 << 62, (ROUNDS,), generator=generator).tolist()
        # Halves of fewer than three bits would leave too few distinct permutations.
        bits = max(6, (size - 1).bit_length())
        self._low_bits, self._high_bits = bits // 2, bits - bits // 2
        self._outside = 1 - size / (1 << bits)

    def values(self, first: int, end: int) -> npt.NDArray[np.int64]:
        """Return the values at the positions from `first` to `end`."""
        # In NumPy, which uses one thread. Torch would divide these short loops among its
        # threads, which takes 20 to 50 CPU seconds per epoch on a busy machine of two cores.
        numbers = self._permute(np.arange(first, end, dtype=np.int64))
        outside = np.flatnonzero(numbers >= self._size)
        while len(outside):
            walked = self._permute(numbers[outside])
            numbers[outside] = walked
            outside = outside[walked >= self._size]
        return numbers

    def values_on(self, device: torch.device, first: int, end: int) -> Tensor:
        """Return the same values as (end - first,) int64 on an accelerator.

        The host never waits to hear which numbers have to be walked further. Their share
        shrinks by the same factor with each walk, so their count can be bounded in advance.
        """
        numbers = self._permute(torch.arange(first, end, device=device))
        left = self._count_walks() - sum(STAGES)
        return self._walk_on(numbers, end - first, STAGES, max(0, left))

    def _walk_on(
        self, numbers: Tensor, expected: float, stages: tuple[int, ...], last_walks: int
    ) -> Tensor:
        """Walk numbers to their ends, in stages that each continue with fewer of them.

        Args:
            numbers: (N,) numbers, of which some are outside.
            expected: At most how many of them are expected to be other than padding.
            stages: The walks of each further stage but the last.
            last_walks: The walks of the last stage.
        """
        for _ in range(stages[0] if stages else last_walks):
            numbers = torch.where(numbers >= self._size, self._permute(numbers), numbers)
        if not stages:
            return numbers
        expected *= self._outside ** (stages[0] + 1)
        room = min(len(numbers), math.ceil(2 * expected) + SLACK)
        outside = numbers >= self._size
        rank = outside.cumsum(0)
        # The position of the k-th number outside; behind the last one, any position.
        wanted = torch.arange(1, room + 1, device=numbers.device)
        positions = torch.searchsorted(rank, wanted).clamp_(max=len(numbers) - 1)
        walked = self._walk_on(numbers[positions], expected, stages[1:], last_walks)
        return torch.where(outside, walked[(rank - 1).clamp_(0, room - 1)], numbers)

    def _count_walks(self) -> int:
        """Return after how many walks all numbers are inside, but for a chance of FAILURE."""
        if self._outside == 0:
            return 0
        return math.ceil(math.log(FAILURE / self._size) / math.log(self._outside))

    def _permute(self, numbers: Numbers) -> Numbers:
        """Apply the Feistel network to numbers of `_low_bits + _high_bits` bits.

        Each round replaces (high, low) by (low ^ hash(high, key), high). Whatever the hash,
        this can be inverted, so the rounds together are a permutation.
        """
        high_bits, low_bits = self._high_bits, self._low_bits
        for key in self._keys:
            mask = (1 << low_bits) - 1
            high, low = numbers >> low_bits, numbers & mask
            mixed = high ^ key
            for factor in FACTORS:
                mixed *= factor  # modulo 2**64
                mixed ^= mixed >> 32
            mixed &= mask
            low ^= mixed
            low <<= high_bits
            low |= high
            numbers = low
            # The halves change places; with an odd number of bits so do their sizes.
            high_bits, low_bits = low_bits, high_bits
        return numbers
