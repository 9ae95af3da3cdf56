"""Chunks of utterances, for networks that read whole sequences of frames.

Unlike `FrameChunks`, no chunk extends beyond its utterance: a recurrent network starts at its
first frame, and padding in between would become part of its state. Chunks therefore have
lengths of their own, by which a batch is packed: it is as long as its longest chunk.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from framesweep.data.chunks import UNLABELLED, label_rows
from framesweep.data.device_rows import DeviceRows
from framesweep.data.store.frame_store import Split
from framesweep.distributed.collectives import Shard

PHASES = 16
"""Number of ways to cut a split into chunks; each epoch draws one."""

SEEN, LONGEST = 1, 4
"""Columns of an item: the frames that the chunk sees, and those of its batch's longest one."""

Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Cuts:
    """Where the utterances of a split are cut, as numbers of frames of the split.

    Attributes:
        starts, stops: (P,) the frames that a chunk classifies; together, each frame once.
        firsts, ends: (P,) the frames that it sees: also `context` frames beyond, as far as
            its utterance reaches.
        utterances: (P,) the number of its utterance.
    """

    starts: Numbers
    stops: Numbers
    firsts: Numbers
    ends: Numbers
    utterances: Numbers

    def part(self, first: int, stop: int) -> "Cuts":
        """Return the chunks from number `first` to before `stop`."""
        columns = (self.starts, self.stops, self.firsts, self.ends, self.utterances)
        return Cuts(*(column[first:stop] for column in columns))


def cut_utterances(lengths: Numbers, chunk_frames: int, context: int, phase: int = 0) -> Cuts:
    """Cut each utterance into as few chunks as possible, of equal length in phase 0.

    Args:
        lengths: (U,) frames of each utterance, all at least 1.
        chunk_frames: Most frames per chunk in phase 0. In other phases, a first chunk may be
            longer by up to half of that.
        context: Frames on each side that a chunk sees but does not classify.
        phase: From 0 to PHASES - 1, moves the cuts to the right by up to half a chunk, so that
            the first chunk of an utterance is longer and the last one shorter.
    """
    counts = -(-lengths // chunk_frames)
    utterances = np.repeat(np.arange(len(lengths)), counts)
    begins, sizes = (np.cumsum(lengths) - lengths)[utterances], lengths[utterances]
    total = counts[utterances]
    indices = np.arange(len(utterances)) - (np.cumsum(counts) - counts)[utterances]
    # In units of a chunk / (2 * PHASES), so that no rounding can differ between machines.
    places = 2 * PHASES * indices + phase
    starts = np.where(indices == 0, 0, places * sizes // (2 * PHASES * total))
    stops = (places + 2 * PHASES) * sizes // (2 * PHASES * total)
    stops = np.where(indices == total - 1, sizes, stops)
    return Cuts(
        starts=begins + starts,
        stops=begins + stops,
        firsts=begins + np.maximum(starts - context, 0),
        ends=begins + np.minimum(stops + context, sizes),
        utterances=utterances,
    )


class UtteranceChunks:
    """The chunks of one split, in batches.

    An item describes a chunk in five numbers: the first row that it sees, how many it
    sees, the first of these that it classifies, how many it classifies, and the frames of the
    longest chunk of its batch. Items stay on the CPU, which computes from them what to read.

    Args:
        split: Rows and labels of the frame store.
        context: Frames on each side of a chunk, as far as its utterance reaches.
        chunk_frames: As in `cut_utterances`.
        device: Where batches are wanted.
        dtype: The type in which batches are wanted.
        tempo: Each chunk is read at a rate drawn uniformly from 1 - tempo to 1 + tempo, taking
            the nearest frames: it becomes shorter, or longer, up to twice the longest chunk of
            its batch.
        fits: Whether the rows fit on the device; otherwise those of each batch are sent to it.
    """

    def __init__(
        self,
        split: Split,
        context: int,
        chunk_frames: int,
        device: torch.device,
        dtype: torch.dtype = torch.float32,
        tempo: float = 0.0,
        *,
        fits: bool = True,
    ) -> None:
        self.device = device
        self.dtype = dtype
        self.num_frames = split.num_frames
        self.feature_dim = split.rows.shape[1]
        self.window_dim = (2 * context + 1) * self.feature_dim
        self._context, self._max_frames = context, chunk_frames
        self._lengths, self._lead, self._gap = split.lengths, split.lead, split.gap
        self.num_items = self.count_items(None)
        self.item_frames = max(1, round(self.num_frames / self.num_items))
        self.chunk_frames = self.item_frames
        # Of a chunk of the average length.
        self.item_dim = (self.item_frames + 2 * context) * self.feature_dim
        self._labels = torch.from_numpy(label_rows(split))
        self._tempo = tempo
        self._take = self._place_rows(split, fits=fits)

    def _place_rows(self, split: Split, *, fits: bool) -> Callable[[Tensor], Tensor]:
        """Return a function of (N,) row numbers on the CPU to the (N, D) rows on the device."""
        if self.device.type != "cpu" and fits:
            on_device = DeviceRows(split.rows, self._context, self.device, self.dtype)
            self.dtype = on_device.dtype
            return lambda numbers: on_device.take(self._send(numbers))
        if self.device.type != "cpu" and self.dtype == torch.float16:
            self.dtype = torch.float32  # as for all streamed rows: float16 may not hold them
        rows = torch.from_numpy(split.rows)
        return lambda numbers: self._send(rows.index_select(0, numbers).to(self.dtype))

    def count_items(self, num_utterances: int | None) -> int:
        """Return the number of chunks of the first utterances; None stands for all."""
        lengths = self._lengths[:num_utterances]
        return int((-(-lengths // self._max_frames)).sum())

    def items(self, phase: int, num_utterances: int | None = None) -> Tensor:
        """Return the (P, 5) int64 items of the chunks of the first utterances, or of all.

        Until a chunk is in a batch, it is the longest one itself.

        Args:
            phase: Where utterances are cut; see `cut_utterances`.
            num_utterances: How many of the first utterances; None for all.
        """
        lengths = self._lengths[:num_utterances]
        cuts = cut_utterances(lengths, self._max_frames, self._context, phase)
        columns = (
            self._lead + cuts.firsts + self._gap * cuts.utterances,
            cuts.ends - cuts.firsts,
            cuts.starts - cuts.firsts,
            cuts.stops - cuts.starts,
            cuts.ends - cuts.firsts,
        )
        return torch.from_numpy(np.stack(columns, axis=1))

    def batch(self, items: Tensor, shard: Shard | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """Return chunks, their labels and their lengths.

        Args:
            items: (N, 5) int64 items on the CPU, which agree in the last number.
            shard: Which chunks of the batch these are; None for a whole batch.

        Returns:
            Inputs (N, T * feature_dim) of `dtype`, which are 0 beyond the length of a chunk;
            labels (N * T,) int64, UNLABELLED where the chunk classifies nothing or is borrowed;
            and lengths (N,) int64 in frames.
        """
        first, seen, offset, count, longest = items.unsqueeze(2).unbind(1)
        num_frames, lengths = int(longest[0]), seen
        sources = torch.arange(num_frames).expand(len(items), -1)
        if self._tempo:
            shard = shard or Shard.whole(len(items))
            rates = 1 + self._tempo * (2 * shard.select(torch.rand(shard.total_rows, 1)) - 1)
            num_frames = min(2 * num_frames, int(num_frames / (1 - self._tempo)) + 1)
            lengths = (((seen - 1) / rates).long() + 1).clamp_(max=num_frames)
            sources = (torch.arange(num_frames) * rates).round().long()
        inside = torch.arange(num_frames) < lengths
        rows = torch.where(inside, first + torch.minimum(sources, seen - 1), first)
        own = inside & (sources >= offset) & (sources < offset + count)
        if shard is not None and shard.is_borrowed:
            own = torch.zeros_like(own)
        labels = torch.where(own, self._labels[rows].long(), UNLABELLED)
        inputs = self._take(rows.flatten()).view(len(items), num_frames, self.feature_dim)
        inputs = inputs * self._send(inside).unsqueeze(2)
        return inputs.flatten(1), self._send(labels.flatten()), self._send(lengths.flatten())

    def _send(self, values: Tensor) -> Tensor:
        """Return a tensor of the CPU on the device, without waiting for it."""
        if self.device.type != "cuda":
            return values.to(self.device)
        return values.pin_memory().to(self.device, non_blocking=True)
