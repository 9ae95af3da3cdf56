"""The order in which an epoch goes through its frames."""

import torch
from torch import Tensor

CHUNK = 1 << 16
"""Places worked out at once."""
_ROUNDS = 4
_FACTORS = (0x9E3779B97F4A7C15 - (1 << 64), 0x7FEB352D846CA68B)
"""Odd numbers whose products mix all bits; the first is 2**64 over the golden ratio."""


class FrameOrder:
    """Every frame once, in an order drawn by seed and epoch and worked out as it is asked for.

    A Feistel network of four rounds permutes the numbers of some bits (Luby and Rackoff, 1988);
    where it leads to no frame it is followed on until it does (Black and Rogaway, 2002). So an
    epoch of many frames begins at once, and no permutation of them all is held in memory.

    Args:
        device: where frame numbers are wanted.
    """

    def __init__(
        self, seed: int, epoch: int, num_frames: int, device: torch.device | None = None
    ) -> None:
        self._num_frames = num_frames
        self._device = device
        generator = torch.Generator().manual_seed((seed * 1_000_003 + epoch) % 2**63)
        self._keys = torch.randint(1 << 62, (_ROUNDS,), generator=generator).tolist()
        bits = max(6, (num_frames - 1).bit_length())  # fewer would mix too little
        self._low_bits, self._high_bits = bits // 2, bits - bits // 2
        self._start, self._chunk = 0, torch.empty(0, dtype=torch.int64)

    def __len__(self) -> int:
        return self._num_frames

    def take(self, first: int, count: int) -> Tensor:
        """(count,) int64 frame numbers at the places from `first` on; fewer at the end."""
        stop = min(first + count, self._num_frames)
        if first < self._start or stop > self._start + len(self._chunk):
            end = min(first + max(count, CHUNK), self._num_frames)
            self._start, self._chunk = first, self._frames_at(first, end).to(self._device)
        return self._chunk[first - self._start : stop - self._start]

    def _frames_at(self, first: int, end: int) -> Tensor:
        frames = self._permuted(torch.arange(first, end))
        while len(outside := (frames >= self._num_frames).nonzero()[:, 0]):
            frames[outside] = self._permuted(frames[outside])
        return frames

    def _permuted(self, numbers: Tensor) -> Tensor:
        high_bits, low_bits = self._high_bits, self._low_bits
        for key in self._keys:
            high, low = numbers >> low_bits, numbers & ((1 << low_bits) - 1)
            mixed = high ^ key
            for factor in _FACTORS:
                mixed.mul_(factor).bitwise_xor_(mixed >> 32)
            low.bitwise_xor_(mixed.bitwise_and_((1 << low_bits) - 1))
            # The halves change places; with an odd number of bits so do their sizes.
            numbers = low.bitwise_left_shift_(high_bits).bitwise_or_(high)
            high_bits, low_bits = low_bits, high_bits
        return numbers
