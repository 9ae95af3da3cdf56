"""Context windows served in batches from a split's rows, on any device."""

import mmap

import numpy as np
import torch
from torch import Tensor

from framesweep.data.store.frame_store import Split
from framesweep.distributed.collectives import Shard

CONVERTED_BYTES = 1 << 27
"""Rows that take no more are converted once, all of them, not anew in each batch."""
GATHER_FRAMES = 128
"""Windows gathered before they are converted to another type."""


class Windows:
    """The windows of one split: `2*context+1` frames around each frame.

    The rows are not copied on a CPU, but where they are few and wanted in another type:
    windows overlap in memory, and `index_select` makes a batch. On an accelerator the rows
    are moved there once.

    Args:
        split: rows and labels, as the store gives them.
        context: frames to each side of the centre frame.
        device: where batches are wanted.
        dtype: in which batches are wanted.
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
        self.window_dim = (2 * context + 1) * self.feature_dim
        self._gap = split.gap
        self._first = split.lead - context
        self._ends = torch.from_numpy(np.cumsum(split.lengths)).to(device)
        self._lengths = torch.from_numpy(split.lengths).to(device)
        self._labels = (
            None if split.labels is None else torch.from_numpy(split.labels).to(device)
        )
        # Only what is read in place can be fetched; numpy has an array's mapping as its base.
        base: object = split.rows.base
        in_place = device.type == "cpu"
        self._mapped = base if in_place and isinstance(base, mmap.mmap) else None
        self._row_bytes = split.rows.strides[0]
        self._rows = torch.from_numpy(split.rows).to(device)
        if self._rows.nbytes <= CONVERTED_BYTES:
            self._rows, self._mapped = self._rows.to(dtype), None
        self._view = self._rows.as_strided(
            (len(self._rows) - 2 * context, self.window_dim), (self.feature_dim, 1)
        )
        self._buffer = torch.empty(0, dtype=dtype, device=device)

    def fetch(self, first: int, count: int) -> None:
        """Lets the system read the rows of `count` frames from `first` on, before they are
        asked for; it does not wait, and does nothing where rows are not mapped from a file."""
        if self._mapped is None:
            return
        frames = torch.tensor([first, first + count - 1], device=self.device)
        start, last = self._starts(frames).tolist()
        begin = start * self._row_bytes // mmap.PAGESIZE * mmap.PAGESIZE
        end = (last + 2 * self.context + 1) * self._row_bytes
        self._mapped.madvise(mmap.MADV_WILLNEED, begin, end - begin)

    @property
    def labelled(self) -> bool:
        return self._labels is not None

    def batch(self, frames: Tensor, shard: Shard | None = None) -> tuple[Tensor, Tensor]:
        """(B,) int64 frame numbers to their windows and labels, as the two below give them.

        No shard changes them, unlike those of `chunks.FrameChunks`.
        """
        return self.gather(frames), self.labels(frames)

    def gather(self, frames: Tensor) -> Tensor:
        """(B,) int64 frame numbers to (B, window_dim) of `dtype`.

        The result lies in a buffer that the next call overwrites.
        """
        starts = self._starts(frames)
        size = len(frames) * self.window_dim
        if self._buffer.numel() < size:
            self._buffer = self._buffer.new_empty(size)
        out = self._buffer[:size].view(len(frames), self.window_dim)
        # With `out` the overlapping view is read row by row; without, element by element.
        if self.dtype == self._view.dtype:
            return torch.index_select(self._view, 0, starts, out=out)
        # A part of the batch stays in cache until it is converted.
        part = self._view.new_empty(min(len(frames), GATHER_FRAMES), self.window_dim)
        for first in range(0, len(frames), GATHER_FRAMES):
            indices = starts[first : first + GATHER_FRAMES]
            rows = torch.index_select(self._view, 0, indices, out=part[: len(indices)])
            out[first : first + GATHER_FRAMES] = rows
        return out

    def stretch(self, first: int, stop: int) -> tuple[Tensor, Tensor]:
        """The rows that the windows of frames `first` to `stop` are made of, each once.

        Returns:
            (1, T * feature_dim) of `dtype`, and (stop - first,) int64 places where in the rows
            the frames' windows begin.
        """
        starts = self._starts(torch.arange(first, stop, device=self.device))
        begin, end = starts[[0, -1]].tolist()
        rows = self._rows[begin : end + 2 * self.context + 1].to(self.dtype)
        return rows.view(1, -1), starts - begin

    def _starts(self, frames: Tensor) -> Tensor:
        """The first row of each frame's window."""
        utterances = torch.searchsorted(self._ends, frames, right=True)
        return frames + utterances * self._gap + self._first

    def labels(self, frames: Tensor) -> Tensor:
        """(B,) int64 frame numbers to (B,) int64 labels."""
        assert self._labels is not None
        return self._labels[frames].long()

    def edges(self, frames: Tensor) -> Tensor:
        """(B,) bool: whether the frame's window passes an edge of its utterance."""
        utterances = torch.searchsorted(self._ends, frames, right=True)
        ends = self._ends[utterances]
        lengths = self._lengths[utterances]
        places = frames - (ends - lengths)
        return (places < self.context) | (places >= lengths - self.context)
