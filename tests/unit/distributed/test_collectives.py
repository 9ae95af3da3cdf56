"""Shards and sums of several processes, compared with those of one."""

import os
import signal
from itertools import chain
from typing import Any

import pytest
import torch
from torch import nn

from forked import in_ranks
from framesweep import kernels
from framesweep.config import AdamConfig
from framesweep.data.chunks import UNLABELLED
from framesweep.distributed.collectives import SINGLE_PROCESS, Shard
from framesweep.errors import RankLostError
from framesweep.models.layers import BatchNorm, Dropout
from framesweep.training.augmentation import SpecAugment
from framesweep.training.losses import average_over_batch, build_loss

CPU = torch.device("cpu")


def test_a_single_process_keeps_its_batch_and_its_values():
    batch = torch.arange(5)
    SINGLE_PROCESS.init(CPU)
    rows, shard = SINGLE_PROCESS.shard(batch)
    assert rows is batch
    assert shard is None
    assert SINGLE_PROCESS.all_reduce_max(3, 0.5) == (3, 0.5)
    assert SINGLE_PROCESS.broadcast("x") == "x"
    SINGLE_PROCESS.all_reduce_sum(batch)
    assert batch.tolist() == [0, 1, 2, 3, 4]
    SINGLE_PROCESS.barrier()
    SINGLE_PROCESS.destroy()


def test_a_whole_shard_selects_every_row():
    batch = torch.arange(5)
    assert torch.equal(Shard.whole(5).select(batch), batch)


def take_shard(process_group, num_frames):
    rows, shard = process_group.shard(torch.arange(num_frames))
    assert (shard.num_rows, shard.total_rows) == (len(rows), num_frames)
    assert shard.select(torch.arange(num_frames)).tolist() == rows.tolist()
    expected = Shard(3 * shard.first, 3 * len(rows), 3 * num_frames, process_group)
    assert shard.expand(3) == expected
    return rows.tolist()


@pytest.mark.parametrize("num_frames", [1, 2, 7])
def test_the_shards_of_all_ranks_make_up_the_batch(num_frames):
    parts = in_ranks(3, take_shard, num_frames)
    assert list(chain(*parts)) == list(range(num_frames))
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


def reduce_and_broadcast(process_group):
    process_group.init(CPU)
    rank = process_group.rank
    counts, loss = torch.tensor([rank, 1]), torch.tensor(0.5, dtype=torch.float64)
    process_group.all_reduce_sum(counts, loss)
    largest = process_group.all_reduce_max(rank, -rank)
    first = process_group.broadcast({"state": torch.tensor([rank])})
    process_group.barrier()
    process_group.destroy()
    return counts.tolist(), float(loss), largest, first["state"].tolist()


def test_sums_maxima_and_broadcasts_are_the_same_on_all_ranks():
    assert in_ranks(3, reduce_and_broadcast) == [([3, 3], 1.5, (2, 0), [0])] * 3


class Layers(nn.Module):
    """Everything whose rows depend on each other or on random numbers."""

    def __init__(self, fused):
        super().__init__()
        self.norm, self.drop, self.fused = BatchNorm(4), Dropout(0.3), fused

    def forward(self, x, shard):
        if self.fused:
            return kernels.norm_activate_drop(x, self.norm, "gelu", 0.3, shard)
        return self.drop(self.norm(x, shard).relu(), shard)


def take_step(process_group, num_rows, fused, weighted):
    """Loss, gradients and statistics after one step on `num_rows` rows."""
    torch.manual_seed(4)
    model = Layers(fused)
    nn.init.normal_(model.norm.weight)
    x, labels = 100 + torch.randn(num_rows, 4), torch.randint(4, (num_rows,))
    labels[3::4] = UNLABELLED
    weights = torch.tensor([0.5, 2.0, 1.0, 3.0]) if weighted else None
    optim = AdamConfig(label_smoothing=0.1)
    process_group.init(CPU)
    process_group.replicate(model)
    mine, shard = process_group.shard(torch.arange(num_rows))
    windows = x[mine].requires_grad_()
    masked = SpecAugment(1, 1, 1, 2, 0, 0, gain=0.1, noise=0.1, tempo=0.9)(
        windows[:, :3].detach().clone(), shard
    )
    if process_group.size == 1:
        loss = build_loss(optim, weights)
    else:
        loss = average_over_batch(build_loss(optim, weights, "sum"), weights, process_group)
    value = loss(model(windows, shard), labels[mine])
    value.backward()
    process_group.all_reduce_gradients(model)
    total = value.detach().clone()
    process_group.all_reduce_sum(total)
    process_group.barrier()
    process_group.destroy()
    grads = [p.grad for p in model.parameters()]
    return total, grads, model.norm.running_var, windows.grad, masked, torch.rand(3)


@pytest.mark.parametrize("num_rows", [1, 2, 13])
@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize("weighted", [True, False])
def test_a_step_of_several_processes_equals_that_of_one(num_rows, fused, weighted):
    if fused and num_rows == 1:
        pytest.skip("a single row is not for the fused loops")
    alone = take_step(SINGLE_PROCESS, num_rows, fused, weighted)
    outcomes = in_ranks(3, take_step, num_rows, fused, weighted)
    # Two rows lie at +-1 however close they are: there the gradient is all cancellation.
    close: dict[str, Any] = {"rtol": 1e-4, "atol": 1e-3 if num_rows == 2 else 1e-5}
    for total, grads, variance, _, _, after in outcomes:
        torch.testing.assert_close(total, alone[0], rtol=1e-4, atol=0)
        torch.testing.assert_close(grads, alone[1], **close)
        torch.testing.assert_close(variance, alone[2])
        assert torch.equal(after, alone[5]), "the random generators differ"
    torch.testing.assert_close(torch.cat([o[3] for o in outcomes]), alone[3], **close)
    assert torch.equal(torch.cat([o[4] for o in outcomes]), alone[4])


def lose_rank_1(process_group):
    process_group.init(CPU)
    process_group.all_reduce_max(0)
    if process_group.rank == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    with pytest.raises(RankLostError, match="the last checkpoint is kept"):
        process_group.all_reduce_max(0)
    return "noticed"


def test_the_death_of_a_rank_raises_an_error_on_the_others():
    assert in_ranks(3, lose_rank_1) == ["noticed", None, "noticed"]
