"""The loops over patches divide their rows; test_patches.py tests what they compute."""

import sys

import pytest
import torch

from framesweep.kernels.patches import PatchShape, take_patches
from thread_counts import require_equal_bits

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the loops need GNU OpenMP")


def test_the_number_of_threads_changes_no_bit() -> None:
    shape = PatchShape(kernel=5, dilation=2, stride=3, num_patches=4, first=1)
    x = torch.randn(3, 20, 6).to(torch.bfloat16).requires_grad_()
    dy = torch.randn(12, 30).to(torch.bfloat16)

    def run() -> tuple[torch.Tensor, ...]:
        patches = take_patches(x, shape, lambda x: x)
        return patches, *torch.autograd.grad(patches, x, dy)

    require_equal_bits(run, (1, 2, 5))
