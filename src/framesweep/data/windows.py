"""Serves batches of context windows from the rows of a split, on any device.

A window is `2*context + 1` consecutive frames around a center frame, flattened. Written out,
the windows of a split take `2*context + 1` times the memory of its frames: at context 25 and
18.5 M frames of 40 float32 features, 151 GB instead of 3 GB. They need not be written out,
because of how the frame store lays out its rows:

    lead rows | utterance 0 | gap rows | utterance 1 | gap rows | ...

Every utterance is followed by at least MAX_CONTEXT padding rows, so the window of every frame,
for any context up to MAX_CONTEXT, is a contiguous run of rows that touches no other utterance.
All windows are thus one strided view on the rows, in which neighboring windows overlap in
memory, and a batch is one `index_select` on it: no copy per context, and no Python per frame.
With data.padding=cross there is no gap, and windows extend into neighboring utterances.
"""

import mmap

import numpy as np
import torch
from torch import Tensor

from framesweep.data.device_rows import DeviceRows
from framesweep.data.store.frame_store import Split
from framesweep.distributed.collectives import Shard

CONVERTED_BYTES = 1 << 27
"""Rows of at most this size are converted to the wanted type once, instead of in each batch."""
GATHER_FRAMES = 128
"""Windows that are gathered before they are converted to another type."""


class Windows:
    """The context windows of one split.

    On a CPU the rows are not copied, except to convert them where they are few; the store may
    be larger than the memory. On an accelerator they are moved there once, as `DeviceRows`.

    Args:
        split: rows and labels as the store provides them.
        context: frames on each side of the center frame.
        device: device of the batches.
        dtype: type of the batches; float32 where float16 cannot hold the rows.

    Attributes:
        lengths: (U,) int64 number of frames of each utterance, on the device.
        host_lengths: The same as an array.
    """

    def __init__(
        self,
        split: Split,
        context: int,
        device: torch.device,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        self.name = split.name
        self.context = context
        self.device = device
        self.dtype = dtype
        self.num_frames = self.num_items = split.num_frames
        self.item_frames = 1
        self.feature_dim = split.rows.shape[1]
        self.window_dim = self.item_dim = (2 * context + 1) * self.feature_dim
        self._gap = split.gap
        self._first = split.lead - context
        self.host_lengths = split.lengths
        self._host_ends = np.cumsum(split.lengths)
        self._ends = torch.from_numpy(self._host_ends).to(device)
        self.lengths = torch.from_numpy(split.lengths).to(device)
        self._labels = (
            None if split.labels is None else torch.from_numpy(split.labels).to(device)
        )
        self._row_bytes = split.rows.strides[0]
        self._mapping: mmap.mmap | None = None
        self._on_device: DeviceRows | None = None
        self._place_rows(split)

    def _place_rows(self, split: Split) -> None:
        """Move the rows to the device, or read them in place on a CPU."""
        if self.device.type != "cpu":
            self._on_device = DeviceRows(split.rows, self.context, self.device, self.dtype)
            self.dtype = self._on_device.dtype
            return
        # Prefetching makes sense only for rows that are read in place from a file. The base of
        # a numpy array that is memory-mapped is its mapping.
        base: object = split.rows.base
        self._mapping = base if isinstance(base, mmap.mmap) else None
        self._rows = torch.from_numpy(split.rows)
        if self._rows.nbytes <= CONVERTED_BYTES:
            self._rows, self._mapping = self._rows.to(self.dtype), None
        # Row n of the view starts one frame after row n - 1 and is 2*context + 1 frames long.
        self._view = self._rows.as_strided(
            (len(self._rows) - 2 * self.context, self.window_dim), (self.feature_dim, 1)
        )
        self._buffer = torch.empty(0, dtype=self.dtype)

    def fetch(self, first: int, count: int) -> None:
        """Ask the system to read the rows of `count` frames, starting at `first`, in advance.

        Does not wait for them, and does nothing if the rows are not memory-mapped.
        """
        if self._mapping is None:
            return
        frames = torch.tensor([first, first + count - 1], device=self.device)
        start, last = self._window_starts(frames).tolist()
        begin = (
            start * self._row_bytes // mmap.PAGESIZE * mmap.PAGESIZE
        )  # where advice may start
        end = (last + 2 * self.context + 1) * self._row_bytes
        if hasattr(mmap, "MADV_WILLNEED"):  # not on Windows
            self._mapping.madvise(mmap.MADV_WILLNEED, begin, end - begin)

    def hold_range(
        self, frames: tuple[int, int], following: tuple[int, int] | None = None
    ) -> None:
        """Prepare for a batch of neighboring frames; all frames are there, so do nothing.

        Args:
            frames: The first frame, and the one after the last.
            following: Those of the batch after it, if there is one.
        """

    def count_items(self, num_utterances: int | None) -> int:
        """Return the number of frames of the first utterances; None stands for all."""
        return (
            self.num_frames
            if num_utterances is None
            else int(self._host_ends[num_utterances - 1])
        )

    @property
    def labelled(self) -> bool:
        """Whether the split has labels."""
        return self._labels is not None

    def batch(self, frames: Tensor, shard: Shard | None = None) -> tuple[Tensor, Tensor]:
        """Return the windows and the labels of (B,) frames, as `gather` and `labels` do.

        Args:
            frames: (B,) int64 frame numbers, counted over the split.
            shard: ignored; only the batches of FrameChunks depend on it.
        """
        return self.gather(frames), self.labels(frames)

    def gather(self, frames: Tensor) -> Tensor:
        """Return the windows of frames.

        Args:
            frames: (B,) int64 frame numbers, counted over the split.

        Returns:
            (B, window_dim) of `dtype`; on a CPU in a buffer that the next call overwrites.
        """
        starts = self._window_starts(frames)
        if self._on_device is not None:
            return self._on_device.windows(starts)
        size = len(frames) * self.window_dim
        if self._buffer.numel() < size:
            self._buffer = self._buffer.new_empty(size)
        out = self._buffer[:size].view(len(frames), self.window_dim)
        # With `out`, torch reads the overlapping view row by row; without, element by element.
        if self.dtype == self._view.dtype:
            return torch.index_select(self._view, 0, starts, out=out)
        # Gather and convert in portions that stay in the cache in between.
        portion = self._view.new_empty(min(len(frames), GATHER_FRAMES), self.window_dim)
        for first in range(0, len(frames), GATHER_FRAMES):
            indices = starts[first : first + GATHER_FRAMES]
            rows = torch.index_select(self._view, 0, indices, out=portion[: len(indices)])
            out[first : first + GATHER_FRAMES] = rows
        return out

    def stretch(self, first: int, stop: int) -> tuple[Tensor, Tensor]:
        """Return the rows of which the windows of frames `first` to `stop` consist, each once.

        Returns:
            (1, T * feature_dim) of `dtype`, and the (stop - first,) int64 indices of the rows
            at which the frames' windows start.
        """
        starts = self._window_starts(torch.arange(first, stop, device=self.device))
        # As in _window_starts, but on the host, which need not wait for the device.
        ends = np.array([first, stop - 1])
        ends += np.searchsorted(self._host_ends, ends, side="right") * self._gap + self._first
        begin, end = int(ends[0]), int(ends[1]) + 2 * self.context + 1
        if self._on_device is not None:
            return self._on_device.stretch(begin, end), starts - begin
        return self._rows[begin:end].to(self.dtype).view(1, -1), starts - begin

    def _window_starts(self, frames: Tensor) -> Tensor:
        """Return the first row of each frame's window.

        Before frame n of the split are lead + n rows and one gap per utterance that precedes
        its own; the window starts `context` rows earlier.
        """
        utterances = torch.searchsorted(self._ends, frames, right=True)
        return frames + utterances * self._gap + self._first

    def labels(self, frames: Tensor) -> Tensor:
        """Return the (B,) int64 labels of (B,) int64 frame numbers."""
        assert self._labels is not None
        return self._labels[frames].long()  # int16 in memory; the losses of torch need int64

    @property
    def all_labels(self) -> Tensor:
        """The (N,) int16 labels of all frames of a labelled split, on the device."""
        assert self._labels is not None
        return self._labels

    def edges(self, frames: Tensor) -> Tensor:
        """Return, as (B,) bool, whether each frame's window crosses an utterance edge."""
        utterances = torch.searchsorted(self._ends, frames, right=True)
        ends = self._ends[utterances]
        lengths = self.lengths[utterances]
        positions = frames - (ends - lengths)
        return (positions < self.context) | (positions >= lengths - self.context)
