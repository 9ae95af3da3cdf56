"""Copies results from a device to the CPU in few large blocks instead of one per batch."""

import torch
from torch import Tensor

BLOCK_BYTES = 1 << 29
"""Size of the rows that are kept on the device before they are copied. Every copy waits for the
device to finish all work that it was given before."""


class HostRows:
    """A (N, C) tensor on the CPU whose rows are computed in batches, maybe on another device.

    Args:
        rows: The tensor; the rows that are added are written into it by `flush` at the latest.
    """

    def __init__(self, rows: Tensor) -> None:
        self._rows = rows
        self._frames: list[Tensor] = []
        self._pending: list[Tensor] = []
        self._bytes = 0

    def add(self, frames: Tensor, values: Tensor) -> None:
        """Set the rows with the numbers `frames`, (B,) int64, to `values`, (B, C)."""
        if values.device.type == "cpu":
            self._rows[frames] = values
            return
        self._frames.append(frames)
        self._pending.append(values)
        self._bytes += values.nbytes
        if self._bytes >= BLOCK_BYTES:
            self.flush()

    def flush(self) -> None:
        """Copy what has been added since the last copy."""
        if not self._frames:
            return
        frames, values = torch.cat(self._frames).cpu(), torch.cat(self._pending)
        self._frames, self._pending, self._bytes = [], [], 0
        self._rows[frames] = values.cpu()
