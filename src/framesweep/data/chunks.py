"""Chunks of neighboring frames, for networks that share computation between them."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from framesweep.config import MAX_CONTEXT
from framesweep.data.device_rows import DeviceRows
from framesweep.data.store.frame_store import Split
from framesweep.distributed.collectives import Shard

UNLABELLED = -1
"""Label of a padding row, which no loss counts."""


class FrameChunks:
    """The chunks of one split: `chunk_frames` neighboring rows each, and their context.

    A chunk may hold the end of one utterance, the padding, and the beginning of the next. The
    padding is as wide as the largest context, so no frame's window crosses it.

    Args:
        split: Rows and labels of the frame store.
        context: Frames on each side of a chunk.
        chunk_frames: Rows per chunk; reduced to those of the split where it has fewer.
        stride: Distance, in rows, between the frames of a chunk that are trained on.
        device: Where batches are wanted.
        dtype: The type in which batches are wanted.
        tempo: Each chunk is read at a rate drawn uniformly from 1 - tempo to 1 + tempo about
            its middle, taking the nearest frames; the rate is limited so that windows stay
            within their utterances.
    """

    def __init__(
        self,
        split: Split,
        context: int,
        chunk_frames: int,
        stride: int,
        device: torch.device,
        dtype: torch.dtype = torch.float32,
        tempo: float = 0.0,
    ) -> None:
        self.context = context
        self.device = device
        self.dtype = dtype
        self.num_frames = split.num_frames
        self.num_rows = split.num_frames + split.gap * (len(split.lengths) - 1)
        self.chunk_frames = min(chunk_frames, self.num_rows)
        self.item_frames = -(-self.chunk_frames // stride)
        self._row_ends = np.cumsum(split.lengths + split.gap) - split.gap
        self.num_items = self.count_items(None)
        self._stride = stride
        self.feature_dim = split.rows.shape[1]
        self.window_dim = (2 * context + 1) * self.feature_dim
        self.item_dim = (self.chunk_frames + 2 * context) * self.feature_dim
        self._lead = split.lead
        self._num_store_rows = len(split.rows)
        self._take = self._place_rows(split)
        self._labels = torch.from_numpy(label_rows(split)).to(device)
        self._tempo = tempo
        # At a rate above 1 a window spans more rows, of which the padding must still be able
        # to separate two utterances; one row less than its width, as positions are rounded.
        self._fastest = max(1.0, (MAX_CONTEXT - 1) / max(context, 1)) if split.gap else 2.0

    def count_rows(self, num_utterances: int | None) -> int:
        """Return the rows from the first frame to the last of the first utterances.

        They are at least those of a chunk. None stands for all utterances.
        """
        if num_utterances is None:
            return self.num_rows
        return max(self.chunk_frames, int(self._row_ends[num_utterances - 1]))

    def count_items(self, num_utterances: int | None) -> int:
        """Return the number of chunks of the first utterances; None stands for all."""
        return -(-(self.count_rows(num_utterances) - 1) // self.chunk_frames) + 1

    def _place_rows(self, split: Split) -> Callable[[Tensor], Tensor]:
        """Return a function of (N,) row numbers to the (N, D) rows, in the type of batches."""
        if self.device.type != "cpu":
            on_device = DeviceRows(split.rows, self.context, self.device, self.dtype)
            self.dtype = on_device.dtype
            return on_device.take
        rows = torch.from_numpy(split.rows)
        return lambda numbers: rows.index_select(0, numbers).to(self.dtype)

    def batch(self, starts: Tensor, shard: Shard | None = None) -> tuple[Tensor, Tensor]:
        """Return the chunks that begin at given rows, and their labels.

        Args:
            starts: (N,) int64 first rows, counted from the first frame of the split.
            shard: Which chunks of the batch these are; None for a whole batch.

        Returns:
            Inputs (N, (chunk_frames + 2*context) * feature_dim) of `dtype`, and labels
            (N * item_frames,) int64 of every stride-th frame, UNLABELLED for padding.
        """
        middle = self.chunk_frames // 2
        offsets = torch.arange(
            -self.context - middle,
            self.chunk_frames - middle + self.context,
            device=self.device,
        )
        rows = offsets + (starts + (self._lead + middle)).unsqueeze(1)
        if self._tempo:
            shard = shard or Shard.whole(len(starts))
            uniform = shard.select(torch.rand(shard.total_rows, 1, device=self.device))
            rates = (1 + self._tempo * (2 * uniform - 1)).clamp_(max=self._fastest)
            rows += (offsets * (rates - 1)).round_().long()
            rows.clamp_(0, self._num_store_rows - 1)
        inputs = self._take(rows.flatten())
        own = rows[:, self.context : self.context + self.chunk_frames : self._stride]
        labels = self._labels[own.flatten()].long()
        return inputs.reshape(len(starts), self.item_dim), labels


def label_rows(split: Split) -> npt.NDArray[np.int16]:
    """Return the (R,) int16 labels of all rows, UNLABELLED for padding."""
    assert split.labels is not None
    utterances = np.repeat(np.arange(len(split.lengths)), split.lengths)
    labels = np.full(len(split.rows), UNLABELLED, dtype=np.int16)
    labels[split.lead + np.arange(split.num_frames) + split.gap * utterances] = split.labels
    return labels
