"""The orders of frames: permutations that can be read from any position."""

import itertools
import math

import pytest
import torch
from torch import Tensor

from framesweep.training.samplers import (
    BLOCK_FRAMES,
    CHUNK,
    BlockShuffleSampler,
    ChunkSampler,
    ShuffleSampler,
)


def full_order(seed: int, epoch: int, num_frames: int) -> Tensor:
    return ShuffleSampler(seed, epoch, num_frames).indices(0, num_frames)


@pytest.mark.parametrize("num_frames", [1, 2, 3, 64, 65, 1000, 4096, 4097, 100_003])
def test_every_frame_is_visited_once(num_frames):
    assert torch.equal(full_order(0, 1, num_frames).sort().values, torch.arange(num_frames))


def test_each_seed_and_epoch_has_an_order_of_its_own():
    orders = [full_order(seed, epoch, 1000) for seed in (0, 1) for epoch in (1, 2)]
    for one, other in itertools.combinations(orders, 2):
        assert (one == other).sum() < 10
    assert torch.equal(orders[0], full_order(0, 1, 1000))


@pytest.mark.parametrize("batch", [1, 7, 1000, CHUNK + 1])
def test_the_order_does_not_depend_on_the_batch_size(batch):
    num_frames = 2 * CHUNK + 1000
    expected = full_order(3, 2, num_frames)
    sampler = ShuffleSampler(3, 2, num_frames)
    firsts = range(0, min(num_frames, 300 * batch), batch)
    taken = torch.cat([sampler.indices(first, batch) for first in firsts])
    assert torch.equal(taken, expected[: len(taken)])
    assert torch.equal(sampler.indices(10, 5), expected[10:15])


def test_the_order_passes_statistical_tests_of_randomness():
    num_frames = 1 << 17
    order = full_order(0, 1, num_frames).double() / num_frames
    deviation = 1 / math.sqrt(num_frames)
    places = torch.arange(num_frames, dtype=torch.float64) / num_frames
    for pair in (torch.stack((order, places)), torch.stack((order[1:], order[:-1]))):
        assert abs(torch.corrcoef(pair)[0, 1]) < 5 * deviation
    # Neighboring frames are spread over the batches as by a random permutation.
    batches = (full_order(0, 1, num_frames) < 1024).view(-1, 2048).sum(dim=1).double()
    assert batches.mean() == 16
    assert 0.4 * 16 < batches.var() < 1.9 * 16


def test_the_first_frame_is_uniformly_distributed():
    counts = torch.zeros(10)
    for seed in range(2000):
        counts[ShuffleSampler(seed, 1, 10).indices(0, 1)] += 1
    chi_square = ((counts - 200) ** 2 / 200).sum()
    assert chi_square < 27.9  # 99.9 % quantile for nine degrees of freedom


def buffered(seed: int, epoch: int, num_frames: int, **options) -> Tensor:
    return BlockShuffleSampler(seed, epoch, num_frames, 3 * BLOCK_FRAMES, **options).indices(
        0, num_frames
    )


@pytest.mark.parametrize(
    "num_frames", [1, BLOCK_FRAMES, BLOCK_FRAMES + 1, 10 * BLOCK_FRAMES + 7]
)
def test_buffers_hold_every_frame_once(num_frames):
    frames = buffered(0, 1, num_frames)
    assert torch.equal(frames.sort().values, torch.arange(num_frames))
    assert torch.equal(frames, buffered(0, 1, num_frames))


def test_a_buffer_holds_whole_blocks_in_random_order():
    num_frames = 12 * BLOCK_FRAMES
    chosen = []
    for seed, epoch in itertools.product((0, 1), (1, 2)):
        buffers = buffered(seed, epoch, num_frames).view(4, -1)
        for buffer in buffers:
            blocks, counts = (buffer // BLOCK_FRAMES).unique(return_counts=True)
            assert counts.tolist() == [BLOCK_FRAMES] * 3
            steps = (buffer[1:] - buffer[:-1]).abs()
            assert (steps == 1).sum() < 20
            # A batch holds frames of all blocks of its buffer, in about equal numbers.
            in_batch = (buffer[:1024] // BLOCK_FRAMES == blocks[0]).sum()
            assert 250 < in_batch < 430
        chosen.append(tuple((buffers[0] // BLOCK_FRAMES).unique().tolist()))
    assert len(set(chosen)) > 1


@pytest.mark.parametrize("batch", [7, 1000, 4 * BLOCK_FRAMES])
def test_a_buffered_order_can_be_read_from_any_position(batch):
    num_frames = 10 * BLOCK_FRAMES + 7
    expected = buffered(3, 2, num_frames)
    firsts = list(range(0, num_frames, batch))[-300:]
    sampler = BlockShuffleSampler(3, 2, num_frames, 3 * BLOCK_FRAMES)
    taken = torch.cat([sampler.indices(first, batch) for first in firsts])
    assert torch.equal(taken, expected[firsts[0] :])


def test_blocks_are_prefetched_one_buffer_ahead():
    fetched: list[int] = []
    num_frames = 6 * BLOCK_FRAMES + 7
    sampler = BlockShuffleSampler(
        0, 1, num_frames, 3 * BLOCK_FRAMES, prefetch=lambda first, count: fetched.append(count)
    )
    seen = []
    for first in range(0, num_frames, BLOCK_FRAMES):
        sampler.indices(first, BLOCK_FRAMES)
        seen.append(sum(fetched))
    assert seen[0] >= 6 * BLOCK_FRAMES - BLOCK_FRAMES
    assert seen[-1] == num_frames
    assert len(fetched) == 7


@pytest.mark.parametrize(("num_rows", "chunk_frames"), [(1, 1), (7, 7), (1000, 1), (1003, 96)])
@pytest.mark.parametrize("epoch", [1, 2])
def test_chunks_cover_every_row(num_rows, chunk_frames, epoch):
    sampler = ChunkSampler(3, epoch, num_rows, chunk_frames)
    starts = sampler.indices(0, len(sampler))
    assert len(starts) == len(sampler)
    assert starts.min() >= 0
    assert starts.max() <= num_rows - chunk_frames
    rows = (starts.unsqueeze(1) + torch.arange(chunk_frames)).flatten()
    times = torch.bincount(rows, minlength=num_rows)
    assert times.min() >= 1
    inner = times[chunk_frames : num_rows - chunk_frames]
    assert (inner == 1).all(), "only chunks at the ends overlap others"


def test_each_epoch_cuts_chunks_at_other_rows():
    starts = [ChunkSampler(0, epoch, 1000, 96) for epoch in range(20)]
    firsts = {int(sampler.indices(0, len(sampler)).sort().values[3]) for sampler in starts}
    assert len(firsts) > 10


def test_orders_are_those_of_earlier_versions():
    """Else a run stopped within an epoch would visit some frames twice and others never."""
    assert full_order(1, 2, 10).tolist() == [8, 9, 1, 6, 7, 0, 3, 2, 5, 4]
    assert ShuffleSampler(1, 2, 100_003).indices(50_000, 3).tolist() == [19596, 2476, 56756]
    blocks = BlockShuffleSampler(1, 2, 5000, 2048)
    assert blocks.indices(2000, 4).tolist() == [1940, 3418, 3504, 3361]
    assert ChunkSampler(1, 2, 100, 7).indices(3, 5).tolist() == [93, 44, 0, 16, 9]
