"""Copies rows of a store to the device ahead of their use, where the store as a whole can't be.

A copy has three parts, so that none of them keeps the device or the training loop waiting: a
thread reads rows from the file, converts them and puts them into page-locked memory; a stream
of its own copies them to the device; and the stream that computes waits for that copy alone.
There are two page-locked buffers: one is filled while the other is being copied.
"""

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

ALIGNED_BYTES = 16
"""Rows begin at multiples of it, as a GPU gathers them in loads of this size."""

RowRange = tuple[int, int]
"""First row, and the row after the last."""


class RowStream:
    """A buffer on the device with the rows that are needed now and those needed next.

    The buffer consists of slots. `load` fills one with ranges of rows, one after the other,
    and returns immediately; `wait` makes the following computations see it. Each range may
    have an index, under which `shifts` then holds the difference between the position of a row
    in `values` and its number in the store.

    On a CPU there are no streams; the thread copies the rows itself.

    Args:
        rows: (R, D) features of the store.
        slot_rows: Most rows per slot.
        num_slots: Number of slots, at least 2.
        num_ranges: Number of indices of ranges.
        device: Where the rows are needed.
        dtype: The type in which they are needed.
    """

    def __init__(
        self,
        rows: npt.NDArray[np.floating],
        slot_rows: int,
        num_slots: int,
        num_ranges: int,
        device: torch.device,
        dtype: torch.dtype,
    ) -> None:
        self._rows = rows
        self.slot_rows = slot_rows
        self.dim = rows.shape[1]
        self.width = padded_width(self.dim, dtype)
        shape = (num_slots * slot_rows, self.width)
        self.values = torch.zeros(shape, dtype=dtype, device=device)
        self.shifts = torch.zeros(num_ranges, dtype=torch.int64, device=device)
        self._stream: Any = None
        if device.type == "cuda":
            self._stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        self._buffers = [_HostBuffer(slot_rows, self.width, dtype, device) for _ in range(2)]
        self._num_loads = 0
        self._loads: dict[int, Future[Any]] = {}
        # One thread, so that loads happen in the order in which they were requested.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="rows")

    def load(
        self, slot: int, ranges: Sequence[RowRange], indices: Sequence[int] | None = None
    ) -> None:
        """Begin to fill a slot with ranges of rows, when all work queued so far is done.

        Args:
            slot: The slot, whose rows no later computation may read.
            ranges: The ranges, of at most `slot_rows` rows together.
            indices: The index of each range in `shifts`; None leaves `shifts` as it is.
        """
        released = None if self._stream is None else torch.cuda.current_stream().record_event()
        self._loads[slot] = self._thread.submit(self._fill, slot, ranges, indices, released)

    def wait(self, slot: int) -> None:
        """Let computations that are queued from now on wait until the slot is filled.

        Raises:
            OSError: The rows could not be read.
        """
        load = self._loads.pop(slot, None)
        if load is not None and (done := load.result()) is not None:
            torch.cuda.current_stream().wait_event(done)

    def wait_for_all(self) -> None:
        """Wait as `wait` does for all slots, before the buffers may be released."""
        for slot in list(self._loads):
            self.wait(slot)

    def _fill(
        self,
        slot: int,
        ranges: Sequence[RowRange],
        indices: Sequence[int] | None,
        released: Any,
    ) -> Any:
        """Fill a slot, and return the event of its last copy; None on a CPU."""
        buffer = self._buffers[self._num_loads % 2]
        self._num_loads += 1
        buffer.wait()
        first_position = slot * self.slot_rows
        positions, num_rows = [], 0
        for begin, end in ranges:
            positions.append(first_position + num_rows - begin)
            part = torch.from_numpy(self._rows[begin:end])
            buffer.values[num_rows : num_rows + end - begin, : self.dim] = part
            num_rows += end - begin
        with self._on_stream():
            if self._stream is not None:
                self._stream.wait_event(released)
            target = self.values[first_position : first_position + num_rows]
            # Only CUDA says by an event when the buffer on the host may be filled again.
            target.copy_(buffer.values[:num_rows], non_blocking=self._stream is not None)
            if indices is not None:
                table = torch.tensor([list(indices), positions])
                numbers, shifts = buffer.send(table, self.shifts.device)
                self.shifts.index_copy_(0, numbers, shifts)
            return buffer.record(self._stream)

    def _on_stream(self) -> AbstractContextManager[Any]:
        return nullcontext() if self._stream is None else torch.cuda.stream(self._stream)


class _HostBuffer:
    """Memory on the host that a GPU copies from while the host does other things."""

    def __init__(
        self, num_rows: int, width: int, dtype: torch.dtype, device: torch.device
    ) -> None:
        self._pinned = device.type == "cuda"
        self.values = torch.zeros(num_rows, width, dtype=dtype, pin_memory=self._pinned)
        self._copied: Any = None

    def send(self, table: Tensor, device: torch.device) -> Tensor:
        """Return a small tensor on the device, without waiting for it."""
        if not self._pinned:
            return table.to(device)
        return table.pin_memory().to(device, non_blocking=True)

    def record(self, stream: Any) -> Any:
        """Remember the copies queued so far on the stream, and return their event."""
        self._copied = None if stream is None else stream.record_event()
        return self._copied

    def wait(self) -> None:
        """Wait until the device has copied what the buffer holds."""
        if self._copied is not None:
            self._copied.synchronize()


def padded_width(dim: int, dtype: torch.dtype) -> int:
    """Return the values per row such that each row begins at a multiple of ALIGNED_BYTES."""
    multiple = max(1, ALIGNED_BYTES // dtype.itemsize)
    return -(-dim // multiple) * multiple
