"""Serves chunks of a split whose rows do not fit into the memory of the device."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from framesweep.data.chunks import FrameChunks
from framesweep.data.row_stream import RowRange, RowStream
from framesweep.data.store.frame_store import Split
from framesweep.distributed.collectives import Shard


class StreamedChunks(FrameChunks):
    """Chunks that are sent to the device batch by batch, in whatever order.

    A chunk is about as large as the rows that its frames need, so that nothing is gained by
    sending blocks of several neighboring chunks, and the order stays that of FrameChunks.

    Args:
        batch_chunks: Most chunks per batch.
        others: As for FrameChunks; rows in float16 are served in float32 instead, as float16
            may not hold them.
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
        batch_chunks: int = 1,
    ) -> None:
        self._batch_chunks = batch_chunks
        dtype = torch.float32 if dtype == torch.float16 else dtype
        super().__init__(split, context, chunk_frames, stride, device, dtype, tempo)
        # Another tempo reads rows from beyond the chunk and its context.
        middle = self.chunk_frames // 2
        farthest = context + max(middle, self.chunk_frames - middle)
        self._margin = math.ceil(farthest * tempo) + 1 if tempo else 0
        num_rows = self.chunk_frames + 2 * (context + self._margin)
        self._stream = RowStream(
            split.rows, batch_chunks * num_rows, 2, 2 * batch_chunks, device, dtype
        )
        self._held: list[list[int] | None] = [None, None]
        self._slot = self._first_chunk = 0
        # On the device, because a recorded step is replayed whichever slot its batch is in.
        self._index_of_first = torch.zeros((), dtype=torch.int64, device=device)

    def _place_rows(self, split: Split) -> Callable[[Tensor], Tensor]:
        return self._take_streamed

    def hold(self, starts: Tensor, following: Tensor) -> None:
        """Have the chunks of the next batch on the device, and begin to send those after it.

        Args:
            starts: The (N,) first rows of the whole next batch, on the CPU.
            following: The (M,) first rows of the batch after it; M may be 0.
        """
        now, then = starts.tolist(), following.tolist()
        if now not in self._held:
            self._load(1 - self._slot, now)
        self._slot = self._held.index(now)
        if then:
            self._load(1 - self._slot, then)
        self._stream.wait(self._slot)
        self._index_of_first.fill_(self._slot * self._batch_chunks)

    def _load(self, slot: int, starts: list[int]) -> None:
        first = slot * self._batch_chunks
        indices = range(first, first + len(starts))
        self._stream.load(slot, [self._range(start) for start in starts], indices)
        self._held[slot] = starts

    def _range(self, start: int) -> RowRange:
        reach = self.context + self._margin
        first = self._lead + start
        end = first + self.chunk_frames + reach
        return max(0, first - reach), min(end, self._num_store_rows)

    def batch(self, starts: Tensor, shard: Shard | None = None) -> tuple[Tensor, Tensor]:
        """Return the chunks that `hold` was called with, or this rank's; see `FrameChunks`."""
        self._first_chunk = 0 if shard is None else shard.first
        return super().batch(starts, shard)

    def _take_streamed(self, rows: Tensor) -> Tensor:
        """Return the (N, D) rows of the chunks of a batch, from the numbers of all its rows."""
        rows = rows.view(-1, self.chunk_frames + 2 * self.context)
        order = torch.arange(len(rows), device=rows.device) + self._first_chunk
        shifts = self._stream.shifts.index_select(0, order + self._index_of_first)
        positions = (rows + shifts.unsqueeze(1)).flatten()
        return self._stream.values.index_select(0, positions)[:, : self.feature_dim]
