"""The loops over rows; test_layers.py tests what they compute together."""

import sys

import numpy as np
import pytest
import torch
from torch import nn

from framesweep import kernels
from framesweep.distributed.collectives import Shard
from framesweep.kernels import openmp

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the loops need GNU OpenMP")


@pytest.mark.parametrize("num_rows", [1, 63, 64, 65, 200])
def test_moments_are_sums_of_differences_to_the_first_row_block_by_block(num_rows):
    from framesweep.kernels.loops import rows

    x = np.random.default_rng(0).normal(size=(num_rows, 5)).astype(np.float32)
    num_blocks = -(-num_rows // rows.BLOCK_ROWS)
    sums = np.full((num_blocks, 2, 5), np.nan, dtype=np.float32)
    shape = np.array(x.shape, dtype=np.int64)
    address = rows.compile_moments(np.float32)
    openmp.run_on_threads(address, (shape.ctypes.data, x.ctypes.data, sums.ctypes.data))
    for block in range(num_blocks):
        part = (x - x[0])[block * rows.BLOCK_ROWS : (block + 1) * rows.BLOCK_ROWS]
        np.testing.assert_allclose(sums[block, 0], part.sum(0), rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(sums[block, 1], (part**2).sum(0), rtol=1e-5, atol=1e-5)


def test_a_rank_drops_what_a_single_process_would_drop_in_its_rows():
    def dropped(num_rows: int, shard: Shard | None = None) -> torch.Tensor:
        torch.manual_seed(3)
        ones = torch.ones(num_rows, 7)
        return kernels.norm_activate_drop(ones, nn.Identity(), "relu", 0.5, shard) == 0

    whole = dropped(100)
    assert torch.equal(dropped(40, Shard(60, 40, 100)), whole[60:])
    assert not torch.equal(dropped(40), whole[60:])


def test_a_loop_is_compiled_once():
    from framesweep.kernels.loops import rows

    assert rows.compile_moments(np.float32) == rows.compile_moments(np.float32)
    assert rows.compile_moments(np.float32) != rows.compile_moments(np.uint16)
