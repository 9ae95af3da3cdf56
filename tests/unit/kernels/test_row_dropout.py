"""Dropout without a mask in memory."""

import math
import sys

import pytest
import torch
from torch import Tensor

from framesweep import kernels
from framesweep.distributed.collectives import Shard
from thread_counts import require_equal_bits

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs GNU OpenMP")


def drop(x: Tensor, p: float = 0.3, seed: int = 1, shard: Shard | None = None) -> Tensor:
    torch.manual_seed(seed)
    return kernels.row_dropout(x, p, shard)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("shape", [(1, 1), (130, 7), (3, 5, 8), (2, 3, 4, 5)])
def test_elements_and_their_gradients_are_scaled_or_zero_alike(
    dtype: torch.dtype, shape: tuple[int, ...]
) -> None:
    x = (torch.randn(shape) + 3).to(dtype).requires_grad_()
    dy = (torch.randn(shape) + 3).to(dtype)
    y = drop(x)
    y.backward(dy)
    kept = y != 0
    assert y.dtype == dtype
    expected = (x.detach().float() / 0.7).to(dtype) * kept
    torch.testing.assert_close(y.detach(), expected, rtol=2**-8, atol=0.0)
    torch.testing.assert_close(
        x.grad, (dy.float() / 0.7).to(dtype) * kept, rtol=2**-8, atol=0.0
    )


def test_the_share_of_dropped_elements_is_p_in_items_steps_and_units() -> None:
    kept = (drop(torch.ones(40, 50, 60), 0.4) != 0).double()
    deviation = math.sqrt(0.4 * 0.6)
    for axes in ((1, 2), (0, 2), (0, 1)):
        size = math.prod(kept.shape[axis] for axis in axes)
        spread = (kept.mean(dim=axes) - 0.6).abs().max()
        assert spread < 5 * deviation / math.sqrt(size)


def test_a_transposed_view_is_dropped_by_its_own_positions() -> None:
    x = torch.randn(6, 5, 4)
    dense = x.transpose(0, 1).contiguous()
    assert torch.equal(drop(x.transpose(0, 1)), drop(dense))


def test_ranks_drop_what_a_single_process_would_drop() -> None:
    x = torch.ones(10, 4, 3)
    whole = drop(x)
    assert torch.equal(drop(x[:6], shard=Shard(0, 6, 10)), whole[:6])
    assert torch.equal(drop(x[6:], shard=Shard(6, 4, 10)), whole[6:])


def test_the_mask_follows_torch_s_generator() -> None:
    x = torch.ones(20, 30)
    assert torch.equal(drop(x, seed=2), drop(x, seed=2))
    assert not torch.equal(drop(x, seed=2), drop(x, seed=3))
    torch.manual_seed(2)
    assert not torch.equal(kernels.row_dropout(x, 0.3), kernels.row_dropout(x, 0.3))


def test_the_number_of_threads_changes_no_bit() -> None:
    x = torch.randn(30, 10, 8)
    require_equal_bits(lambda: [drop(x)], (1, 2, 3))
