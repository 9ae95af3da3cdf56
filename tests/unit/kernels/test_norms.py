"""Batch norm over a divided batch against torch's over the whole."""

import torch
from torch import Tensor, nn

from forked import in_ranks
from framesweep.distributed.collectives import Shard
from framesweep.kernels.norms import combine_moments, shared_batch_norm, update_running

NUM_ROWS, NUM_COLUMNS = 21, 5


def batch() -> Tensor:
    return (
        3 * torch.randn(NUM_ROWS, NUM_COLUMNS, generator=torch.Generator().manual_seed(0)) + 2
    )


def a_norm() -> nn.BatchNorm1d:
    torch.manual_seed(1)
    norm = nn.BatchNorm1d(NUM_COLUMNS)
    nn.init.normal_(norm.weight)
    nn.init.normal_(norm.bias)
    return norm


def on_a_rank(process_group):
    """This rank's outputs and gradients, its norm's state, and the combined moments."""
    process_group.init(torch.device("cpu"))
    x, shard = process_group.shard(batch())
    x.requires_grad_()
    norm = a_norm()
    y = shared_batch_norm(x, norm, shard)
    y.square().sum().backward()
    mean, variance = x.detach().double().mean(0), x.detach().double().var(0, unbiased=False)
    moments = combine_moments(mean, variance, shard)
    process_group.barrier()
    process_group.destroy()
    return y.detach(), x.grad, norm.state_dict(), moments


def test_ranks_normalize_their_rows_by_the_statistics_of_the_whole_batch():
    outputs, gradients, states, moments = zip(*in_ranks(2, on_a_rank), strict=True)
    x, norm = batch().requires_grad_(), a_norm()
    y = norm(x)
    y.square().sum().backward()
    torch.testing.assert_close(torch.cat(outputs), y.detach(), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(torch.cat(gradients), x.grad, atol=1e-5, rtol=1e-4)
    for state in states:
        for name, value in norm.state_dict().items():
            torch.testing.assert_close(state[name], value, atol=1e-6, rtol=1e-5)
    for mean, variance in moments:
        torch.testing.assert_close(mean, batch().double().mean(0))
        torch.testing.assert_close(variance, batch().double().var(0, unbiased=False))


def test_a_shard_that_is_a_whole_batch_is_normalized_as_torch_does():
    x, norm, oracle = batch(), a_norm(), a_norm()
    y = shared_batch_norm(x, norm, Shard.whole(NUM_ROWS))
    torch.testing.assert_close(y, oracle(x), atol=1e-5, rtol=1e-5)


def test_running_statistics_are_updated_as_torch_does():
    x, norm, oracle = batch(), a_norm(), a_norm()
    update_running(norm, x.mean(0), x.var(0, unbiased=False), NUM_ROWS)
    oracle(x)
    for name, value in oracle.state_dict().items():
        torch.testing.assert_close(norm.state_dict()[name], value, atol=1e-6, rtol=1e-5)
