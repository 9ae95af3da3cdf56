"""Fused CPU code for hidden layers, which passes over memory as few times as possible.

A hidden layer in plain torch is a chain of calls, each of which reads and writes the whole
batch; memory bandwidth then takes as long as the arithmetic. The functions here compute the
same, up to rounding, in one or two passes. Where they can't (on another device, without numba,
for an unknown activation), the caller uses torch's modules.
"""

from framesweep.kernels.allocator import keep_freed_blocks
from framesweep.kernels.counter_dropout import can_compile, counter_dropout
from framesweep.kernels.folding import fuse_linear
from framesweep.kernels.layers import available, can_fuse, has_loops, norm_activate_drop
from framesweep.kernels.linear_layer import linear
from framesweep.kernels.norms import shared_batch_norm
from framesweep.kernels.perturbation import can_perturb, perturb
from framesweep.kernels.recurrence import can_recur, recur
from framesweep.kernels.row_dropout import row_dropout

__all__ = [
    "available",
    "can_compile",
    "can_fuse",
    "can_perturb",
    "can_recur",
    "counter_dropout",
    "fuse_linear",
    "has_loops",
    "keep_freed_blocks",
    "linear",
    "norm_activate_drop",
    "perturb",
    "recur",
    "row_dropout",
    "shared_batch_norm",
]
