"""Serves windows of a split whose rows do not fit into the memory of the device.

Windows of frames in random order can't be read from a disk, nor sent to a GPU, one by one: each
is 2*context + 1 times as large as what it adds. Neighboring frames share their windows' rows,
so blocks of them are sent instead, and a batch takes its frames from the blocks on the device.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from framesweep.data.row_stream import RowRange, RowStream
from framesweep.data.store.frame_store import Split
from framesweep.data.windows import Windows

BLOCK_FRAMES = 1024
"""Neighboring frames that are read together, 160 kB at 40 float32 bins."""


class StreamedWindows(Windows):
    """Windows of which only those of some blocks of frames can be served at a time.

    A block is BLOCK_FRAMES neighboring frames, the last one fewer. `hold` has to be called
    before a batch in random order, and `hold_range` before a batch of neighboring frames.

    Args:
        split: Rows and labels as the store provides them.
        context: Frames on each side of the center frame.
        device: Device of the batches.
        dtype: Type of the batches; float32 instead of float16, whose range may be too small.
        buffer_blocks: Most blocks per buffer of `hold`, and per call of `hold_range`.
        batch_frames: Most frames per batch of `hold`.
    """

    def __init__(
        self,
        split: Split,
        context: int,
        device: torch.device,
        dtype: torch.dtype,
        buffer_blocks: int,
        batch_frames: int = 1,
    ) -> None:
        self._buffer_blocks = buffer_blocks
        # A batch may begin with the last frame of a buffer, and the buffer that follows it may
        # have the last block of the utterances that the epoch visits, which may be one frame.
        # While the device computes on the slot of one buffer, that of the next is filled.
        buffer_frames = buffer_blocks * BLOCK_FRAMES
        shortest = buffer_frames - BLOCK_FRAMES + 1
        self._num_slots = 2 + -(-max(0, batch_frames - 1 - shortest) // buffer_frames)
        super().__init__(split, context, device, dtype)
        # On the device as well, because a recorded evaluation would repeat a number.
        self._device_shift = torch.zeros((), dtype=torch.int64, device=device)
        self._forget()

    def _place_rows(self, split: Split) -> None:
        self.dtype = torch.float32 if self.dtype == torch.float16 else self.dtype
        firsts = np.arange(0, self.num_frames, BLOCK_FRAMES)
        self._bounds = self._rows_of(firsts, np.append(firsts[1:], self.num_frames))
        sizes = np.sort(self._bounds[:, 1] - self._bounds[:, 0])
        self._store_rows = split.rows
        self._allocate(int(sizes[-self._buffer_blocks :].sum()))
        self._mapping = None

    def _allocate(self, slot_rows: int) -> None:
        """Allocate the buffers on the device and on the host for slots of a size."""
        num_blocks = len(self._bounds)
        self._stream = RowStream(
            self._store_rows, slot_rows, self._num_slots, num_blocks, self.device, self.dtype
        )
        # Row n of the view starts one frame after row n - 1 and is a window long.
        width = self._stream.width
        self._view = self._stream.values.as_strided(
            (len(self._stream.values) - 2 * self.context, (2 * self.context + 1) * width),
            (width, 1),
        )

    def _forget(self) -> None:
        """Treat all slots as empty."""
        self._order: object = None
        self._held: list[object] = [None] * self._num_slots
        self._range_shift: int | None = None

    def hold(self, buffers: Sequence[Tensor], first: int, last: int) -> None:
        """Have the blocks of some buffers on the device, and begin to send the next buffer.

        Args:
            buffers: The (N,) numbers of the blocks of each buffer, in the epoch's order.
            first, last: The numbers of the first and the last buffer of which the next batch
                holds frames.
        """
        assert last < first + self._num_slots
        if self._order is not buffers:
            self._forget()
            self._order = buffers
        for number in range(first, min(first + self._num_slots, len(buffers))):
            if self._held[slot := number % self._num_slots] != number:
                blocks = buffers[number].tolist()
                ranges = [(begin, end) for begin, end in self._bounds[blocks].tolist()]
                self._stream.load(slot, ranges, blocks)
                self._held[slot] = number
        for number in range(first, last + 1):
            self._stream.wait(number % self._num_slots)

    def hold_range(self, frames: RowRange, following: RowRange | None = None) -> None:
        """Have neighboring frames on the device, and begin to send those that follow.

        Args:
            frames: The first frame, and the one after the last.
            following: The frames of the next call, if they are known.
        """
        self._make_room([frames] if following is None else [frames, following])
        if self._order is not None:
            self._forget()
        if frames not in self._held:
            self._load_range(0, frames)
        slot = self._held.index(frames)
        if following is not None and following not in self._held:
            self._load_range(1 - slot, following)
        self._stream.wait(slot)
        first_row = int(self._rows_of(*frames)[0, 0])
        self._range_shift = slot * self._stream.slot_rows - first_row
        self._device_shift.fill_(self._range_shift)

    def _make_room(self, ranges: Sequence[RowRange]) -> None:
        """Enlarge the slots if one of the ranges of frames has more rows."""
        sizes = [end - begin for begin, end in (self._rows_of(*r)[0].tolist() for r in ranges)]
        if max(sizes) > self._stream.slot_rows:
            self._stream.wait_for_all()
            # Other ranges of as many frames cross more gaps between utterances.
            self._allocate(max(sizes) * 5 // 4)
            self._forget()

    def _load_range(self, slot: int, frames: RowRange) -> None:
        ((begin, end),) = self._rows_of(*frames).tolist()
        self._stream.load(slot, [(begin, end)])
        self._held[slot] = frames

    def _rows_of(
        self, first: int | npt.NDArray[np.int64], stop: int | npt.NDArray[np.int64]
    ) -> npt.NDArray[np.int64]:
        """Return the (N, 2) ranges of rows of which the windows of ranges of frames consist."""
        frames = np.stack((np.atleast_1d(first), np.atleast_1d(stop) - 1), axis=1)
        # As in Windows._window_starts, but on the host, which need not wait for the device.
        rows = frames + np.searchsorted(self._host_ends, frames, side="right") * self._gap
        bounds: npt.NDArray[np.int64] = rows + self._first
        bounds[:, 1] += 2 * self.context + 1
        return bounds

    def gather(self, frames: Tensor) -> Tensor:
        """Return the (B, window_dim) windows of frames that are on the device; see `hold`."""
        windows = self._view.index_select(0, self._positions(frames))
        return self._drop_padding(windows)

    def stretch(self, first: int, stop: int) -> tuple[Tensor, Tensor]:
        """Return the rows of frames that `hold_range` was called with; see `Windows`."""
        assert self._range_shift is not None
        ((begin, end),) = self._rows_of(first, stop).tolist()
        starts = self._window_starts(torch.arange(first, stop, device=self.device))
        rows = self._stream.values[begin + self._range_shift : end + self._range_shift]
        return self._drop_padding(rows).reshape(1, -1), starts - begin

    def _positions(self, frames: Tensor) -> Tensor:
        """Return where in the device's buffer the window of each frame begins."""
        if self._range_shift is not None:
            return self._window_starts(frames) + self._device_shift
        blocks = torch.div(frames, BLOCK_FRAMES, rounding_mode="floor")
        return self._window_starts(frames) + self._stream.shifts.index_select(0, blocks)

    def _drop_padding(self, padded: Tensor) -> Tensor:
        width = self._stream.width
        if width == self.feature_dim:
            return padded
        rows = padded.view(len(padded), -1, width)[:, :, : self.feature_dim]
        return rows.reshape(len(padded), -1)
