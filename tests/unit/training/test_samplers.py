import itertools
import math

import pytest
import torch
from torch import Tensor

from framesweep.training.samplers import (
    CHUNK,
    RUN_FRAMES,
    BlockShuffleSampler,
    ChunkSampler,
    ShuffleSampler,
)


def whole(seed: int, epoch: int, num_frames: int) -> Tensor:
    return ShuffleSampler(seed, epoch, num_frames).take(0, num_frames)


@pytest.mark.parametrize("num_frames", [1, 2, 3, 64, 65, 1000, 4096, 4097, 100_003])
def test_every_frame_comes_once(num_frames):
    assert torch.equal(whole(0, 1, num_frames).sort().values, torch.arange(num_frames))


def test_seeds_and_epochs_have_orders_of_their_own():
    orders = [whole(seed, epoch, 1000) for seed in (0, 1) for epoch in (1, 2)]
    for one, other in itertools.combinations(orders, 2):
        assert (one == other).sum() < 10
    assert torch.equal(orders[0], whole(0, 1, 1000))


@pytest.mark.parametrize("batch", [1, 7, 1000, CHUNK + 1])
def test_it_does_not_matter_how_frames_are_taken(batch):
    num_frames = 2 * CHUNK + 1000
    expected = whole(3, 2, num_frames)
    order = ShuffleSampler(3, 2, num_frames)
    firsts = range(0, min(num_frames, 300 * batch), batch)
    taken = torch.cat([order.take(first, batch) for first in firsts])
    assert torch.equal(taken, expected[: len(taken)])
    assert torch.equal(order.take(10, 5), expected[10:15])


def test_an_order_is_as_good_as_random():
    num_frames = 1 << 17
    order = whole(0, 1, num_frames).double() / num_frames
    deviation = 1 / math.sqrt(num_frames)
    places = torch.arange(num_frames, dtype=torch.float64) / num_frames
    for pair in (torch.stack((order, places)), torch.stack((order[1:], order[:-1]))):
        assert abs(torch.corrcoef(pair)[0, 1]) < 5 * deviation
    # Frames of one utterance are spread over batches as evenly as chance has it.
    batches = (whole(0, 1, num_frames) < 1024).view(-1, 2048).sum(dim=1).double()
    assert batches.mean() == 16
    assert 0.4 * 16 < batches.var() < 1.9 * 16


def test_first_frames_are_drawn_evenly():
    counts = torch.zeros(10)
    for seed in range(2000):
        counts[ShuffleSampler(seed, 1, 10).take(0, 1)] += 1
    chi_square = ((counts - 200) ** 2 / 200).sum()
    assert chi_square < 27.9  # of nine degrees of freedom, one in a thousand


def windowed(seed: int, epoch: int, num_frames: int, **options) -> Tensor:
    return BlockShuffleSampler(seed, epoch, num_frames, 3 * RUN_FRAMES, **options).take(
        0, num_frames
    )


@pytest.mark.parametrize("num_frames", [1, RUN_FRAMES, RUN_FRAMES + 1, 10 * RUN_FRAMES + 7])
def test_windows_have_every_frame_once(num_frames):
    frames = windowed(0, 1, num_frames)
    assert torch.equal(frames.sort().values, torch.arange(num_frames))
    assert torch.equal(frames, windowed(0, 1, num_frames))


def test_a_window_holds_whole_runs_in_random_order():
    num_frames = 12 * RUN_FRAMES
    chosen = []
    for seed, epoch in itertools.product((0, 1), (1, 2)):
        windows = windowed(seed, epoch, num_frames).view(4, -1)
        for window in windows:
            runs, counts = (window // RUN_FRAMES).unique(return_counts=True)
            assert counts.tolist() == [RUN_FRAMES] * 3
            steps = (window[1:] - window[:-1]).abs()
            assert (steps == 1).sum() < 20
            # Every batch draws on all runs of its window, as chance has it.
            in_batch = (window[:1024] // RUN_FRAMES == runs[0]).sum()
            assert 250 < in_batch < 430
        chosen.append(tuple((windows[0] // RUN_FRAMES).unique().tolist()))
    assert len(set(chosen)) > 1


@pytest.mark.parametrize("batch", [7, 1000, 4 * RUN_FRAMES])
def test_windows_can_be_entered_anywhere(batch):
    num_frames = 10 * RUN_FRAMES + 7
    expected = windowed(3, 2, num_frames)
    firsts = list(range(0, num_frames, batch))[-300:]
    order = BlockShuffleSampler(3, 2, num_frames, 3 * RUN_FRAMES)
    taken = torch.cat([order.take(first, batch) for first in firsts])
    assert torch.equal(taken, expected[firsts[0] :])


def test_runs_are_fetched_a_window_ahead():
    fetched: list[int] = []
    num_frames = 6 * RUN_FRAMES + 7
    order = BlockShuffleSampler(
        0, 1, num_frames, 3 * RUN_FRAMES, fetch=lambda first, count: fetched.append(count)
    )
    seen = []
    for first in range(0, num_frames, RUN_FRAMES):
        order.take(first, RUN_FRAMES)
        seen.append(sum(fetched))
    assert seen[0] >= 6 * RUN_FRAMES - RUN_FRAMES
    assert seen[-1] == num_frames
    assert len(fetched) == 7


@pytest.mark.parametrize(("num_rows", "run_frames"), [(1, 1), (7, 7), (1000, 1), (1003, 96)])
@pytest.mark.parametrize("epoch", [1, 2])
def test_runs_cover_every_row(num_rows, run_frames, epoch):
    order = ChunkSampler(3, epoch, num_rows, run_frames)
    starts = order.take(0, len(order))
    assert len(starts) == len(order)
    assert starts.min() >= 0
    assert starts.max() <= num_rows - run_frames
    rows = (starts.unsqueeze(1) + torch.arange(run_frames)).flatten()
    times = torch.bincount(rows, minlength=num_rows)
    assert times.min() >= 1
    inner = times[run_frames : num_rows - run_frames]
    assert (inner == 1).all(), "only runs at the ends are moved over others"


def test_runs_are_cut_elsewhere_in_each_epoch():
    starts = [ChunkSampler(0, epoch, 1000, 96) for epoch in range(20)]
    firsts = {int(order.take(0, len(order)).sort().values[3]) for order in starts}
    assert len(firsts) > 10
