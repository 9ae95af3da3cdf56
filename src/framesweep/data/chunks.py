"""Runs of neighbouring frames, for networks that share their work between them."""

import numpy as np
import torch
from torch import Tensor

from framesweep.config import MAX_CONTEXT
from framesweep.data.store.frame_store import Split
from framesweep.distributed.collectives import Shard

UNLABELLED = -1
"""Label of a padding row; no loss counts it."""


class Runs:
    """The runs of one split: `run_frames` neighbouring rows of it, and the context around them.

    A run may hold the end of one utterance and the beginning of the next, and the padding
    between them, which no frame's window passes.

    Args:
        split: rows and labels, as the store gives them.
        context: frames to each side of a run.
        run_frames: rows to a run; no more than there are.
        stride: rows from one that is trained on to the next.
        device: where batches are wanted.
        dtype: in which batches are wanted.
        tempo: a run is read slower or quicker about its middle, each frame the nearest one, by
            a rate uniform within this of 1, and no more than keeps windows in their utterance.
    """

    def __init__(
        self,
        split: Split,
        context: int,
        run_frames: int,
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
        self.run_frames = min(run_frames, self.num_rows)
        self.item_frames = -(-self.run_frames // stride)
        self.num_items = -(-(self.num_rows - 1) // self.run_frames) + 1
        self._stride = stride
        self.feature_dim = split.rows.shape[1]
        self.window_dim = (2 * context + 1) * self.feature_dim
        self._lead = split.lead
        self._rows = torch.from_numpy(split.rows).to(device)
        self._labels = torch.from_numpy(_row_labels(split)).to(device)
        self._tempo = tempo
        # A row less than the padding, as places are rounded; at a rate of 1 none is.
        self._fastest = max(1.0, (MAX_CONTEXT - 1) / max(context, 1)) if split.gap else 2.0

    def batch(self, starts: Tensor, shard: Shard | None = None) -> tuple[Tensor, Tensor]:
        """(N,) int64 first rows, counted from the split's first frame, to runs and labels.

        `shard` says which runs of the batch these are; None stands for a whole batch.

        Returns:
            (N, (run_frames + 2*context) * feature_dim) of `dtype`, and (N * item_frames,) int64
            labels of every stride-th frame, UNLABELLED where a row is padding.
        """
        middle = self.run_frames // 2
        places = torch.arange(
            -self.context - middle, self.run_frames - middle + self.context, device=self.device
        )
        rows = places + (starts + (self._lead + middle)).unsqueeze(1)
        if self._tempo:
            shard = shard or Shard.whole(len(starts))
            uniform = shard.select(torch.rand(shard.total_rows, 1, device=self.device))
            rates = (1 + self._tempo * (2 * uniform - 1)).clamp_(max=self._fastest)
            rows += (places * (rates - 1)).round_().long()
            rows.clamp_(0, len(self._rows) - 1)
        runs = self._rows.index_select(0, rows.flatten()).to(self.dtype)
        own = rows[:, self.context : self.context + self.run_frames : self._stride]
        return runs.view(len(starts), len(places) * self.feature_dim), self._labels[
            own.flatten()
        ].long()


def _row_labels(split: Split) -> np.ndarray:
    """(R,) int16 labels of all rows."""
    assert split.labels is not None
    utterances = np.repeat(np.arange(len(split.lengths)), split.lengths)
    labels = np.full(len(split.rows), UNLABELLED, dtype=np.int16)
    labels[split.lead + np.arange(split.num_frames) + split.gap * utterances] = split.labels
    return labels
