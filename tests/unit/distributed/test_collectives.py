"""Shares and sums over processes, against the same in one."""

import os
import signal
from itertools import chain

import pytest
import torch
from torch import nn

from forked import in_ranks
from framesweep import kernels
from framesweep.config import AdamConfig
from framesweep.data.chunks import UNLABELLED
from framesweep.distributed.collectives import ALONE, rows_times, share, share_of
from framesweep.errors import RankLostError
from framesweep.models.layers import BatchNorm, Dropout
from framesweep.training.augmentation import SpecAugment
from framesweep.training.losses import average_over_batch, build_loss

CPU = torch.device("cpu")


def test_alone_nothing_is_shared_nor_changed():
    batch = torch.arange(5)
    assert ALONE.take(batch) is batch
    assert share() is None
    assert (share_of(batch).first, share_of(batch).total) == (0, 5)
    assert ALONE.largest(3, 0.5) == (3, 0.5)
    assert ALONE.first_s("x") == "x"
    ALONE.meet(CPU)
    ALONE.part()


def taken(ranks, num_frames):
    rows = ranks.take(torch.arange(num_frames))
    part = share()
    assert (part.rows, part.total) == (len(rows), num_frames)
    assert part.of(torch.arange(num_frames)).tolist() == rows.tolist()
    with rows_times(3):
        assert (share().first, share().rows, share().total) == (
            3 * part.first,
            3 * part.rows,
            3 * num_frames,
        )
    return rows.tolist()


@pytest.mark.parametrize("num_frames", [1, 2, 7])
def test_a_batch_is_shared_out_whole(num_frames):
    parts = in_ranks(3, taken, num_frames)
    assert list(chain(*parts)) == list(range(num_frames))
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


def agreed(ranks):
    ranks.meet(CPU)
    counts, loss = torch.tensor([ranks.rank, 1]), torch.tensor(0.5, dtype=torch.float64)
    ranks.add_up(counts, loss)
    largest = ranks.largest(ranks.rank, -ranks.rank)
    first = ranks.first_s({"state": torch.tensor([ranks.rank])})
    ranks.part()
    return counts.tolist(), float(loss), largest, first["state"].tolist()


def test_sums_largest_and_first_are_the_same_for_all():
    assert in_ranks(3, agreed) == [([3, 3], 1.5, (2, 0), [0])] * 3


class Layers(nn.Module):
    """Everything whose rows depend on each other or on chance."""

    def __init__(self, fused):
        super().__init__()
        self.norm, self.drop, self.fused = BatchNorm(4), Dropout(0.3), fused

    def forward(self, x):
        if self.fused:
            return kernels.norm_activate_drop(x, self.norm, "gelu", 0.3)
        return self.drop(self.norm(x).relu())


def stepped(ranks, num_rows, fused, weighted):
    """Loss, gradients and statistics after one step on `num_rows` rows."""
    torch.manual_seed(4)
    model = Layers(fused)
    nn.init.normal_(model.norm.weight)
    x, labels = 100 + torch.randn(num_rows, 4), torch.randint(4, (num_rows,))
    labels[3::4] = UNLABELLED
    weights = torch.tensor([0.5, 2.0, 1.0, 3.0]) if weighted else None
    optim = AdamConfig(label_smoothing=0.1)
    ranks.meet(CPU)
    ranks.watch(model)
    mine = ranks.take(torch.arange(num_rows))
    windows = x[mine].requires_grad_()
    masked = SpecAugment(1, 1, 1, 2, 0, 0, gain=0.1, noise=0.1, tempo=0.9)(
        windows[:, :3].detach().clone()
    )
    if ranks.size == 1:
        loss = build_loss(optim, weights)
    else:
        loss = average_over_batch(build_loss(optim, weights, "sum"), weights, ranks)
    value = loss(model(windows), labels[mine])
    value.backward()
    ranks.sum_gradients(model)
    total = value.detach().clone()
    ranks.add_up(total)
    ranks.part()
    grads = [p.grad for p in model.parameters()]
    return total, grads, model.norm.running_var, windows.grad, masked, torch.rand(3)


@pytest.mark.parametrize("num_rows", [1, 2, 13])
@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize("weighted", [True, False])
def test_a_step_is_that_of_one_process(num_rows, fused, weighted):
    if fused and num_rows == 1:
        pytest.skip("a single row is not for the fused loops")
    alone = stepped(ALONE, num_rows, fused, weighted)
    outcomes = in_ranks(3, stepped, num_rows, fused, weighted)
    # Two rows lie at +-1 however close they are: there the gradient is all cancellation.
    close = {"rtol": 1e-4, "atol": 1e-3 if num_rows == 2 else 1e-5}
    for total, grads, variance, _, _, after in outcomes:
        torch.testing.assert_close(total, alone[0], rtol=1e-4, atol=0)
        torch.testing.assert_close(grads, alone[1], **close)
        torch.testing.assert_close(variance, alone[2])
        assert torch.equal(after, alone[5]), "the generators have parted"
    torch.testing.assert_close(torch.cat([o[3] for o in outcomes]), alone[3], **close)
    assert torch.equal(torch.cat([o[4] for o in outcomes]), alone[4])


def abandoned(ranks):
    ranks.meet(CPU)
    ranks.largest(0)
    if ranks.rank == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    with pytest.raises(RankLostError, match="the last checkpoint is kept"):
        ranks.largest(0)
    return "noticed"


def test_a_rank_that_dies_is_an_error_for_the_others_at_once():
    assert in_ranks(3, abandoned) == ["noticed", None, "noticed"]
