"""The hidden layers' work on a processor, in as few passes over memory as it takes.

Everything here computes what the plain modules do, by other means. `available` says whether
it can; where it cannot (another device, no numba), the plain modules are used.
"""

from framesweep.kernels.allocator import keep_freed_blocks
from framesweep.kernels.folding import fuse_linear
from framesweep.kernels.layers import available, can_fuse, linear, norm_activate_drop
from framesweep.kernels.norms import shared_batch_norm

__all__ = [
    "available",
    "can_fuse",
    "fuse_linear",
    "keep_freed_blocks",
    "linear",
    "norm_activate_drop",
    "shared_batch_norm",
]
