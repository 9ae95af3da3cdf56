"""The order in which an epoch goes through its frames."""

from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor

CHUNK = 1 << 16
"""Most places worked out at once; an epoch's first batch does not wait for so many."""
_ROUNDS = 4
_FACTORS = (0x9E3779B97F4A7C15 - (1 << 64), 0x7FEB352D846CA68B)
"""Odd numbers whose products mix all bits; the first is 2**64 over the golden ratio."""

RUN_FRAMES = 1024
"""Neighbouring frames that a BlockShuffleSampler reads as one run, 160 kB of 40 bins."""


class Order(Protocol):
    """Every frame, or every run of frames, once; the same for the same seed and epoch."""

    def take(self, first: int, count: int) -> Tensor:
        """(count,) int64 numbers at the places from `first` on; fewer at the end."""
        ...


class ShuffleSampler:
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
        generator = _generator(seed, epoch)
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
            size = max(count, min(2 * len(self._chunk), CHUNK))
            end = min(first + size, self._num_frames)
            self._start, self._chunk = first, self._frames_at(first, end).to(self._device)
        return self._chunk[first - self._start : stop - self._start]

    def _frames_at(self, first: int, end: int) -> Tensor:
        frames = self._permuted(torch.arange(first, end))
        outside = (frames >= self._num_frames).nonzero()[:, 0]
        while len(outside):
            walked = self._permuted(frames[outside])
            frames[outside] = walked
            outside = outside[walked >= self._num_frames]
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


class BlockShuffleSampler:
    """Every frame once, in an order that reads a store beyond memory from end to end.

    Runs of RUN_FRAMES neighbouring frames come in random order; so many of them as make a
    window are read, and all frames of the window come in random order. So a batch is drawn at
    random from a window, and a window's runs at random from the corpus, anew each epoch. What
    a shuffle of all frames has and this lacks: frames of two windows never meet in a batch of
    that epoch, and a batch holds about batch size / window size of each of its window's runs.

    Args:
        window_frames: frames to a window, rounded down to whole runs, one at least.
        device: where frame numbers are wanted.
        fetch: told of runs, by first frame and number of frames, a window ahead of their use.
    """

    def __init__(
        self,
        seed: int,
        epoch: int,
        num_frames: int,
        window_frames: int,
        device: torch.device | None = None,
        fetch: Callable[[int, int], None] | None = None,
    ) -> None:
        self._seed = _mixed(seed, epoch)
        self._num_frames = num_frames
        self._device = device
        self._fetch = fetch
        num_runs = -(-num_frames // RUN_FRAMES)
        runs = ShuffleSampler(seed, epoch, num_runs).take(0, num_runs)
        self._windows = torch.split(runs, max(1, window_frames // RUN_FRAMES))
        sizes = [sum(self._run(run)[1] for run in window.tolist()) for window in self._windows]
        self._ends = torch.tensor(sizes).cumsum(0)
        self._current, self._frames = -1, torch.empty(0, dtype=torch.int64)

    def __len__(self) -> int:
        return self._num_frames

    def take(self, first: int, count: int) -> Tensor:
        """(count,) int64 frame numbers at the places from `first` on; fewer at the end."""
        stop = min(first + count, self._num_frames)
        parts = [torch.empty(0, dtype=torch.int64, device=self._device)]
        while first < stop:
            window = int(torch.searchsorted(self._ends, first, right=True))
            self._enter(window)
            end = int(self._ends[window])
            start = end - len(self._frames)
            parts.append(self._frames[first - start : min(stop, end) - start])
            first = end
        return parts[1] if len(parts) == 2 else torch.cat(parts)

    def _run(self, run: int) -> tuple[int, int]:
        """A run's first frame and its number of frames."""
        first = run * RUN_FRAMES
        return first, min(RUN_FRAMES, self._num_frames - first)

    def _enter(self, window: int) -> None:
        if window == self._current:
            return
        ahead = [window + 1] if window == self._current + 1 > 0 else [window, window + 1]
        for number in ahead:
            if self._fetch is not None and number < len(self._windows):
                for run in sorted(self._windows[number].tolist()):
                    self._fetch(*self._run(run))
        runs = (self._run(run) for run in self._windows[window].tolist())
        frames = torch.cat([torch.arange(first, first + size) for first, size in runs])
        generator = _generator(self._seed, window)
        mixed = frames[torch.randperm(len(frames), generator=generator)]
        self._current, self._frames = window, mixed.to(self._device)


class ChunkSampler:
    """Runs of neighbouring rows that cover a split, in an order drawn by seed and epoch.

    The rows are cut into runs at places that move from epoch to epoch. Where the first or the
    last run would pass the split's ends it is moved inwards, so a few rows come twice.

    Args:
        num_rows: rows of the split from its first frame to its last.
        run_frames: rows to a run, at most num_rows.
        device: where numbers of rows are wanted.
    """

    def __init__(
        self,
        seed: int,
        epoch: int,
        num_rows: int,
        run_frames: int,
        device: torch.device | None = None,
    ) -> None:
        self._run_frames = run_frames
        self._last = num_rows - run_frames
        self._runs = ShuffleSampler(seed, epoch, -(-(num_rows - 1) // run_frames) + 1, device)
        generator = _generator(_mixed(seed, epoch), run_frames)
        self._shift = int(torch.randint(run_frames, (), generator=generator))

    def __len__(self) -> int:
        return len(self._runs)

    def take(self, first: int, count: int) -> Tensor:
        """(count,) int64 first rows of the runs at the places from `first` on."""
        starts = self._runs.take(first, count) * self._run_frames - self._shift
        return starts.clamp_(0, self._last)


def _mixed(seed: int, number: int) -> int:
    """Another seed for each number."""
    return seed * 1_000_003 + number


def _generator(seed: int, number: int) -> torch.Generator:
    return torch.Generator().manual_seed(_mixed(seed, number) % 2**63)
