"""The recursion of Viterbi smoothing on a GPU; `viterbi` has the one for CPUs, and the maths.

The path of an utterance is found frame by frame, so the time on a GPU is that of launching a
few kernels per frame of the longest utterance, however many utterances there are.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

Floats = npt.NDArray[np.floating]
Ints = npt.NDArray[np.integer]

BATCH_CELLS = 1 << 25
"""Limit of utterances * phones**2 in one step: 128 MiB of float32."""
DEVICES = ("cuda", "xpu")
"""Types of devices that are worth it."""


def smooth(
    log_posteriors: Tensor,
    groups: Sequence[tuple[Ints, Ints]],
    log_start: Floats,
    into: Floats,
    log_prior: Floats,
) -> Ints:
    """Return the best path of phones through each utterance, (N,) int64, on the CPU.

    It computes the same sums as the recursion on the CPU; of equal sums, which phone is chosen
    may differ.

    Args:
        log_posteriors: (N, C) on the device.
        groups: For some utterances each, sorted from long to short, the numbers of their first
            frames and of their frames.
        log_start: (C,) score of beginning with each phone.
        into: (C, C) score of reaching a phone (row) from the one before (column).
        log_prior: (C,) to be subtracted from each frame's posteriors.
    """
    device = log_posteriors.device
    first, matrix, prior = (
        torch.from_numpy(np.ascontiguousarray(table)).to(device)
        for table in (log_start, into, log_prior)
    )
    scores = log_posteriors - prior
    path = torch.empty(len(scores), dtype=torch.int64, device=device)
    for starts, lengths in groups:
        _find_paths(scores, starts, lengths, first, matrix, path)
    result: Ints = path.cpu().numpy()
    return result


def _find_paths(
    scores: Tensor, starts: Ints, lengths: Ints, log_start: Tensor, into: Tensor, path: Tensor
) -> None:
    """Write the paths of a group of utterances into `path`; no step waits for the device."""
    firsts = torch.from_numpy(np.asarray(starts, dtype=np.int64)).to(scores.device)
    ends = torch.from_numpy(np.asarray(starts + lengths - 1, dtype=np.int64)).to(scores.device)
    # The number of utterances that are longer than each time; they are always the first ones.
    times = np.arange(int(lengths[0]))
    running = np.searchsorted(-lengths, -times, side="left").tolist()
    best = log_start + scores[firsts]
    origins: list[Tensor] = []
    for time in range(1, len(times)):
        count = running[time]
        reached, origin = (best[:count, None, :] + into).max(dim=2)
        best[:count] = reached + scores[firsts[:count] + time]
        origins.append(origin.to(torch.int16))
    last = best.argmax(dim=1)
    path[ends] = last
    for time in range(len(times) - 1, 0, -1):
        count = running[time]
        chosen = origins[time - 1].gather(1, last[:count, None])
        last[:count] = chosen.squeeze(1).long()
        path[firsts[:count] + time - 1] = last[:count]
