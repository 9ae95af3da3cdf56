"""Classifies the frames of utterances by a network that reads sequences."""

import numpy as np
import torch
from torch import Tensor

from framesweep.data.utterance_chunks import Cuts, cut_utterances
from framesweep.data.windows import Windows
from framesweep.models.sequence_network import SequenceNetwork


def classify_chunks(
    network: SequenceNetwork, rows: Tensor, first_rows: Tensor, cuts: Cuts
) -> Tensor:
    """Return the (B, C) logits of the frames that consecutive chunks classify.

    Args:
        network: The network, in evaluation mode.
        rows: (R, D) features, in which the frames of a chunk are consecutive rows.
        first_rows: (P,) int64, the row of the first frame that each chunk sees.
        cuts: The P chunks.
    """
    seen, own = cuts.ends - cuts.firsts, cuts.stops - cuts.starts
    num_frames = int(seen.max())
    lengths = torch.from_numpy(seen).to(rows.device)
    positions = torch.arange(num_frames, device=rows.device)
    positions = torch.minimum(positions, lengths.unsqueeze(1) - 1)
    chunks = rows[first_rows.unsqueeze(1) + positions].flatten(1)
    logits: Tensor = network(chunks, None, lengths)
    # The frames of its own begin somewhere within the num_frames positions of each chunk.
    places = np.arange(len(seen)) * num_frames + cuts.starts - cuts.firsts
    before = np.cumsum(own) - own
    chosen = np.repeat(places - before, own) + np.arange(own.sum())
    return logits[torch.from_numpy(chosen).to(rows.device)]


class SequenceClassifier:
    """Classifies ranges of the frames of a split, each of which consists of whole chunks.

    Args:
        network: The network, in evaluation mode.
        windows: Serves the rows of the split.
    """

    def __init__(self, network: SequenceNetwork, windows: Windows) -> None:
        self._network = network
        self._windows = windows
        self._cuts = cut_utterances(windows.host_lengths, network.chunk_frames, windows.context)

    def divide(self, size: int) -> list[tuple[int, int]]:
        """Divide the split into ranges of about `size` frames, none of which cuts a chunk."""
        starts = self._cuts.starts
        firsts = starts[np.diff(starts // size, prepend=-1) > 0].tolist()
        return list(zip(firsts, [*firsts[1:], self._windows.num_frames], strict=True))

    def __call__(self, start: int, stop: int) -> Tensor:
        """Return the (stop - start, C) logits of a range, for which `hold_range` was called."""
        windows = self._windows
        first, end = np.searchsorted(self._cuts.starts, (start, stop))
        cuts = self._cuts.part(int(first), int(end))
        rows, window_starts = windows.stretch(start, stop)
        # The row of a frame is that of the center of its window.
        own = torch.from_numpy(cuts.starts - start).to(windows.device)
        before = torch.from_numpy(windows.context - cuts.starts + cuts.firsts)
        first_rows = window_starts[own] + before.to(windows.device)
        features = rows.view(-1, windows.feature_dim)
        return classify_chunks(self._network, features, first_rows, cuts)
