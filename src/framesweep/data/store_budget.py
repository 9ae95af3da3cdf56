"""Decides which splits are kept in the memory of the device, and which are streamed to it."""

import math

import torch

from framesweep.data.row_stream import padded_width
from framesweep.data.store.frame_store import Split
from framesweep.data.streamed_windows import StreamedWindows
from framesweep.data.windows import Windows

FEATURE_SHARE = 0.7
"""Share of a GPU's free memory for features. The rest is for the network, its activations, and
the workspaces of libraries."""


class StoreBudget:
    """The memory of a device that is left for features.

    Args:
        device: The device.
        max_gib: The largest size of all features together in GiB; None for what the device
            has free. A CPU reads the features where they are, and has no limit of its own.
    """

    def __init__(self, device: torch.device, max_gib: float | None = None) -> None:
        self.device = device
        self.limit = _free_bytes(device) * FEATURE_SHARE
        if max_gib is not None:
            self.limit = min(self.limit, max_gib * 2**30)
        self._left = self.limit

    def admit(self, split: Split, dtype: torch.dtype) -> bool:
        """Return whether a split fits, and count it as placed on the device if it does."""
        size = split_bytes(split, dtype)
        if size > self._left:
            return False
        self._left -= size
        return True

    def open_windows(self, split: Split, context: int, dtype: torch.dtype) -> Windows:
        """Return the windows of a split that is read in its own order, streamed if need be."""
        if self.admit(split, dtype):
            return Windows(split, context, self.device, dtype)
        return StreamedWindows(split, context, self.device, dtype, buffer_blocks=1)


def split_bytes(split: Split, dtype: torch.dtype) -> int:
    """Return the memory that the features of a split take on a device."""
    num_rows, dim = split.rows.shape
    return int(num_rows * padded_width(dim, dtype) * dtype.itemsize)


def _free_bytes(device: torch.device) -> float:
    """Return the free memory of a GPU, with what this process has reserved but does not use."""
    if device.type != "cuda":
        return math.inf
    free, _ = torch.cuda.mem_get_info(device)
    reusable = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return float(free + reusable)
