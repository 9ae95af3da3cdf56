"""The augmentation of a batch on a CPU, in one pass over memory instead of one per change."""

from types import ModuleType

import numpy as np
import torch
from torch import Tensor

from framesweep.distributed.collectives import Shard
from framesweep.kernels import openmp
from framesweep.kernels.layers import available, element


def can_perturb(x: Tensor, shard: Shard | None = None) -> bool:
    """Return whether `perturb` can change windows x (B, K), the rows `shard` of a batch."""
    return x.is_contiguous() and available(x, shard)


def _frames() -> ModuleType:
    # Numba takes half a second to import, and is needed only once a loop runs.
    from framesweep.kernels.loops import frames

    return frames


def perturb(
    x: Tensor,
    *,
    sources: Tensor | None = None,
    moves: Tensor | None = None,
    offsets: Tensor | None = None,
    time_factors: Tensor | None = None,
    bin_factors: Tensor | None = None,
    center: int | None = None,
) -> None:
    """Change x (B, T, F), contiguous and on a CPU, in place and in the following order.

    Args:
        x: The windows or chunks.
        sources: (B, T), from which frame of x each frame is taken; None: from itself.
        moves: (B, 1, 1), how many bins farther each value is taken from, within the frame.
        offsets: (B, 1, F), added to each frame.
        time_factors, bin_factors: (B, T) and (B, F), by which all frames are multiplied but
            for the one numbered `center`.
        center: None if all frames are multiplied.
    """
    rows, num_frames, num_bins = x.shape
    identity = torch.arange(num_frames).expand(rows, -1)
    ones = x.new_ones(rows, max(num_frames, num_bins), dtype=torch.float32)
    arrays = (
        (identity if sources is None else sources).int().contiguous(),
        (identity.new_zeros(rows) if moves is None else moves).int().contiguous(),
        (torch.zeros(rows, num_bins) if offsets is None else offsets).contiguous(),
        (ones[:, :num_frames] if time_factors is None else time_factors).float().contiguous(),
        (ones[:, :num_bins] if bin_factors is None else bin_factors).float().contiguous(),
        torch.empty(torch.get_num_threads(), num_frames, num_bins),
        x,
    )
    numbers = np.array([*x.shape, -1 if center is None else center], dtype=np.int64)
    address = _frames().compile_perturbation(element(x))
    pointers = (array.data_ptr() for array in arrays)
    openmp.run_on_threads(address, (numbers.ctypes.data, *pointers))
