"""The order in which an epoch visits the training frames.

A sampler is a permutation that is a pure function of seed and epoch and can be read from any
position. The training loop stores only its position in the epoch, and a resumed run continues
with the very batch at which it stopped.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

import torch
from torch import Tensor

from framesweep.data.streamed_windows import BLOCK_FRAMES
from framesweep.training.permutation import Permutation

CHUNK = 1 << 16
"""Most positions that ShuffleSampler computes in advance on the CPU."""
DEVICE_CHUNK = 1 << 22
"""Positions that ShuffleSampler computes in advance on an accelerator, which takes some three
thousand kernels however few they are. The positions take 32 MiB."""


class FrameSampler(Protocol):
    """A permutation of frames, or of chunks of frames, drawn from a seed and an epoch."""

    def indices(self, first: int, count: int) -> Tensor:
        """Return the (count,) int64 indices at positions from `first`; fewer at the end."""
        ...


class ShuffleSampler:
    r"""Visits every frame once, in a random order that is computed as it is needed.

    An accelerator computes the order of a large split itself, which equals that on the CPU.

    `torch.randperm` would be shorter. For 18.5 million frames, the training set of HW1P2, it
    takes 0.55 s and 148 MB before the first batch of each epoch, and the same again when a run
    is resumed within an epoch. This class takes 0.6 ms and 3 MB, and 0.8 s over a whole epoch,
    spread between the steps. The difference grows with the corpus. Besides, runs of earlier
    versions can only be reproduced and resumed in this order. (CPU seconds on one core of an
    Intel Xeon at 2.6 GHz with torch 2.13, measured by the following commands.)

        t="python -m timeit -p -n 1 -r 5"
        s="from framesweep.training.samplers import *; N = 18_500_000"
        $t -s "$s" "torch.randperm(N)[:2048]"
        $t -s "$s" "ShuffleSampler(0, 1, N).indices(0, 2048)"
        $t -s "$s; order = ShuffleSampler(0, 1, N)" \
            "for first in range(0, N, 2048): order.indices(first, 2048)"

    Args:
        seed: The run's seed.
        epoch: The epoch, which has an order of its own.
        num_frames: Number of frames to permute.
        device: Where the indices are wanted.
    """

    def __init__(
        self, seed: int, epoch: int, num_frames: int, device: torch.device | None = None
    ) -> None:
        self._num_frames = num_frames
        self._device = device or torch.device("cpu")
        self._permutation = Permutation(seeded_generator(seed, epoch), num_frames)
        self._start, self._chunk = 0, torch.empty(0, dtype=torch.int64)
        if self._device.type != "cpu" and num_frames <= CHUNK:
            # Copied now, so that no step waits for it.
            self._chunk = torch.from_numpy(self._permutation.values(0, num_frames))
            self._chunk = self._chunk.to(self._device)

    def __len__(self) -> int:
        return self._num_frames

    def indices(self, first: int, count: int) -> Tensor:
        """Return the (count,) int64 frames at positions from `first`; fewer at the end."""
        stop = min(first + count, self._num_frames)
        if first < self._start or stop > self._start + len(self._chunk):
            self._start, self._chunk = first, self._compute(first, count)
        return self._chunk[first - self._start : stop - self._start]

    def _compute(self, first: int, count: int) -> Tensor:
        """Return the frames at `count` or more positions from `first`."""
        if self._device.type != "cpu":
            end = min(first + max(count, DEVICE_CHUNK), self._num_frames)
            return self._permutation.values_on(self._device, first, end)
        # Chunks double in size, so that the first batch does not wait for a long one.
        size = max(count, min(2 * len(self._chunk), CHUNK))
        end = min(first + size, self._num_frames)
        return torch.from_numpy(self._permutation.values(first, end))


class BlockShuffleSampler:
    """Visits every frame once, in an order suited to a store that does not fit into memory.

    Blocks of BLOCK_FRAMES neighboring frames come in random order. As many of them as fit
    into a shuffle buffer are read together, and the frames in the buffer come in random order.
    So the disk is read in blocks instead of single frames, and every epoch combines other
    blocks. In contrast to a shuffle of all frames, a batch only holds frames of one buffer,
    about batch size / number of blocks of each of its blocks.

    Args:
        seed: The run's seed.
        epoch: The epoch, which has an order of its own.
        num_frames: Number of frames to permute.
        buffer_frames: Size of the shuffle buffer, rounded down to whole blocks, at least one.
        device: Where the indices are wanted.
        prefetch: Called with the first frame and the number of frames of each block, one
            buffer ahead of its use.
        hold: Called before frames are returned, as `StreamedWindows.hold` with the blocks of
            each buffer and the numbers of the first and the last buffer that they are from.
    """

    def __init__(
        self,
        seed: int,
        epoch: int,
        num_frames: int,
        buffer_frames: int,
        device: torch.device | None = None,
        prefetch: Callable[[int, int], None] | None = None,
        hold: Callable[[Sequence[Tensor], int, int], None] | None = None,
    ) -> None:
        self._seed = mix_seed(seed, epoch)
        self._num_frames = num_frames
        self._device = device
        self._prefetch = prefetch
        self._hold = hold
        num_blocks = -(-num_frames // BLOCK_FRAMES)
        blocks = ShuffleSampler(seed, epoch, num_blocks).indices(0, num_blocks)
        self._buffers = torch.split(blocks, max(1, buffer_frames // BLOCK_FRAMES))
        sizes = [sum(self._block(i)[1] for i in buffer.tolist()) for buffer in self._buffers]
        self._ends = torch.tensor(sizes).cumsum(0)
        self._current, self._frames = -1, torch.empty(0, dtype=torch.int64)

    def __len__(self) -> int:
        return self._num_frames

    def indices(self, first: int, count: int) -> Tensor:
        """Return the (count,) int64 frames at positions from `first`; fewer at the end."""
        stop = min(first + count, self._num_frames)
        if self._hold is not None:
            ends = torch.tensor([first, stop - 1])
            begin, last = torch.searchsorted(self._ends, ends, right=True).tolist()
            self._hold(self._buffers, begin, last)
        parts = [torch.empty(0, dtype=torch.int64, device=self._device)]
        while first < stop:
            buffer = int(torch.searchsorted(self._ends, first, right=True))
            self._fill(buffer)
            end = int(self._ends[buffer])
            start = end - len(self._frames)
            parts.append(self._frames[first - start : min(stop, end) - start])
            first = end
        return parts[1] if len(parts) == 2 else torch.cat(parts)

    def _block(self, block: int) -> tuple[int, int]:
        """Return a block's first frame and its number of frames; only the last is shorter."""
        first = block * BLOCK_FRAMES
        return first, min(BLOCK_FRAMES, self._num_frames - first)

    def _fill(self, buffer: int) -> None:
        """Shuffle the frames of a buffer, unless it is the current one; prefetch the next."""
        if buffer == self._current:
            return
        # After a jump, as at the start, this buffer has not been prefetched either.
        is_next = buffer == self._current + 1 > 0
        for number in [buffer + 1] if is_next else [buffer, buffer + 1]:
            if self._prefetch is not None and number < len(self._buffers):
                for block in sorted(self._buffers[number].tolist()):
                    self._prefetch(*self._block(block))
        blocks = (self._block(block) for block in self._buffers[buffer].tolist())
        frames = torch.cat([torch.arange(first, first + size) for first, size in blocks])
        generator = seeded_generator(self._seed, buffer)
        shuffled = frames[torch.randperm(len(frames), generator=generator)]
        self._current, self._frames = buffer, _send(shuffled, self._device)


class ChunkSampler:
    """Visits chunks of neighboring rows that together cover a split, in random order.

    Each epoch cuts the rows into chunks at other places. A chunk that would extend beyond an
    end of the split is moved inwards, so that a few rows are visited twice.

    Args:
        seed: The run's seed.
        epoch: The epoch, which has an order of its own.
        num_rows: Rows of the split from its first frame to its last, padding between
            utterances included.
        chunk_frames: Rows per chunk, at most `num_rows`.
        device: Where the indices are wanted.
        hold: Called before indices are returned, as `StreamedChunks.hold` with them and those
            that follow.
    """

    def __init__(
        self,
        seed: int,
        epoch: int,
        num_rows: int,
        chunk_frames: int,
        device: torch.device | None = None,
        hold: Callable[[Tensor, Tensor], None] | None = None,
    ) -> None:
        self._chunk_frames = chunk_frames
        self._device, self._hold = device, hold
        self._last = num_rows - chunk_frames
        # One chunk more than fit, as the cuts may lie anywhere.
        num_chunks = -(-(num_rows - 1) // chunk_frames) + 1
        # The host has to know which chunks it shall send.
        self._chunks = ShuffleSampler(seed, epoch, num_chunks, device if hold is None else None)
        generator = seeded_generator(mix_seed(seed, epoch), chunk_frames)
        self._shift = int(torch.randint(chunk_frames, (), generator=generator))

    def __len__(self) -> int:
        return len(self._chunks)

    def indices(self, first: int, count: int) -> Tensor:
        """Return the (count,) int64 first rows of the chunks at positions from `first`."""
        starts = self._starts(first, count)
        if self._hold is None:
            return starts
        self._hold(starts, self._starts(first + count, count))
        return _send(starts, self._device)

    def _starts(self, first: int, count: int) -> Tensor:
        first = min(first, len(self))
        starts = self._chunks.indices(first, count) * self._chunk_frames - self._shift
        return starts.clamp_(0, self._last)


def _send(frames: Tensor, device: torch.device | None) -> Tensor:
    """Return frames on the device, without waiting for it."""
    if device is None or device.type != "cuda":
        return frames.to(device)
    return frames.pin_memory().to(device, non_blocking=True)


def mix_seed(seed: int, number: int) -> int:
    """Return another seed for each pair of a seed and a number below 1,000,003."""
    return seed * 1_000_003 + number


def seeded_generator(seed: int, number: int) -> torch.Generator:
    """Return a generator of random numbers that is a function of a seed and a number."""
    return torch.Generator().manual_seed(mix_seed(seed, number) % 2**63)
