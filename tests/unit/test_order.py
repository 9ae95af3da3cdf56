import itertools
import math

import pytest
import torch
from torch import Tensor

from framesweep.order import CHUNK, FrameOrder


def whole(seed: int, epoch: int, num_frames: int) -> Tensor:
    return FrameOrder(seed, epoch, num_frames).take(0, num_frames)


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
    order = FrameOrder(3, 2, num_frames)
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
        counts[FrameOrder(seed, 1, 10).take(0, 1)] += 1
    chi_square = ((counts - 200) ** 2 / 200).sum()
    assert chi_square < 27.9  # of nine degrees of freedom, one in a thousand
