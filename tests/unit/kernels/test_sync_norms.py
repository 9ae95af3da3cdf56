"""Batch norm that GPUs divide, with torch's kernels replaced by formulas for a CPU."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from forked import in_ranks
from framesweep.distributed.collectives import SINGLE_PROCESS
from framesweep.kernels.sync_norms import sync_batch_norm

CPU = torch.device("cpu")


def stats(x: Tensor, eps: float) -> tuple[Tensor, Tensor]:
    x = x.float()
    return x.mean(0), (x.var(0, unbiased=False) + eps).rsqrt()


def gather_stats(x, means, inverses, running_mean, running_var, momentum, eps, counts):
    """As the kernel does, rank by rank, with its divisions."""
    mean, squares, seen = torch.zeros_like(means[0]), torch.zeros_like(means[0]), 0.0
    for rank_mean, inverse, count in zip(means, inverses, counts, strict=True):
        factor = 1 / (seen + count)
        squares += (inverse**-2 - eps) * count + (mean - rank_mean) ** 2 * seen * count * factor
        mean = seen * factor * mean + count * factor * rank_mean
        seen = seen + count
    running_mean.lerp_(mean, momentum)
    running_var.lerp_(squares / (seen - 1), momentum)
    return mean, (squares / seen + eps).rsqrt()


def elemt(x, weight, bias, mean, inverse, eps):
    return ((x.float() - mean) * inverse * weight + bias).to(x.dtype)


def backward_reduce(dy, x, mean, inverse, weight, *wanted):
    centered = x.float() - mean
    sum_dy, sum_dy_xmu = dy.float().sum(0), (dy.float() * centered).sum(0)
    return sum_dy, sum_dy_xmu, sum_dy_xmu * inverse, sum_dy


def backward_elemt(dy, x, mean, inverse, weight, sum_dy, sum_dy_xmu, counts):
    total = counts.sum()
    projected = (x.float() - mean) * inverse**2 * sum_dy_xmu / total
    return ((dy.float() - sum_dy / total - projected) * inverse * weight).to(x.dtype)


def use_formulas() -> None:
    """Replace the kernels in this process, which ends with the test."""
    formulas = {
        "stats": stats,
        "gather_stats_with_counts": gather_stats,
        "elemt": elemt,
        "backward_reduce": backward_reduce,
        "backward_elemt": backward_elemt,
    }
    for name, formula in formulas.items():
        setattr(torch, f"batch_norm_{name}", formula)


def take_step(process_group, num_rows, dtype):
    """Output, gradients and running statistics of one step on `num_rows` rows."""
    torch.manual_seed(4)
    norm = nn.BatchNorm1d(4)
    nn.init.normal_(norm.weight)
    x = (100 + torch.randn(num_rows, 4)).to(dtype)
    weights = torch.randn(num_rows, 4)
    if process_group.size == 1:
        mine, y = x.clone().requires_grad_(), None
        y = norm(mine.float()).to(dtype)
        own = torch.arange(num_rows)
    else:
        use_formulas()
        process_group.init(CPU)
        own, shard = process_group.shard(torch.arange(num_rows))
        mine = x[own].requires_grad_()
        y = sync_batch_norm(mine, norm, shard)
    (y.float() * weights[own]).sum().backward()
    grads = torch.stack([norm.weight.grad, norm.bias.grad])
    process_group.all_reduce_sum(grads)
    process_group.barrier()
    process_group.destroy()
    state = [norm.running_mean, norm.running_var, norm.num_batches_tracked]
    return y.detach(), mine.grad, grads, state


@pytest.mark.parametrize("num_rows", [2, 13])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_ranks_compute_what_one_process_does(num_rows, dtype):
    y, dx, grads, state = take_step(SINGLE_PROCESS, num_rows, dtype)
    outcomes = in_ranks(3, take_step, num_rows, dtype)
    tolerance = 2e-2 if dtype == torch.bfloat16 else 2e-3
    close: dict[str, Any] = {"rtol": tolerance, "atol": tolerance}
    torch.testing.assert_close(torch.cat([o[0] for o in outcomes]), y, **close)
    torch.testing.assert_close(torch.cat([o[1] for o in outcomes]), dx, **close)
    for _, _, rank_grads, rank_state in outcomes:
        torch.testing.assert_close(rank_grads, grads, **close)
        torch.testing.assert_close(rank_state, state, rtol=1e-4, atol=1e-4)
