"""The loop over frames that augments a batch in one pass over memory.

    x[i, t, j] <- (x[i, source[i, t], j + move[i]] + offset[i, j]) * time[i, t] * bin[i, j]

`j + move[i]` is limited to the bins of a frame. A center frame, if there is one, keeps its
values: for it `time` and `bin` are 1.
"""

# numba gives the loop its types.
# mypy: ignore-errors

from functools import cache

import numpy as np
from numba import carray, cfunc, njit

from framesweep.kernels.elementary import INLINE, OPTIONS
from framesweep.kernels.rows import CHECKSUM, SIGNATURE, num_threads, thread_number
from framesweep.kernels.scalars import load, store


@njit(**INLINE)
def _my_rows(_checksum):
    """Return the first row of this thread and the stride to its next.

    The checksum is an argument only so that the loop contains it; see `rows`.
    """
    return thread_number(), num_threads()


@cache
def compile_perturbation(dtype: type[np.generic]) -> int:
    """Compile: (4,) int64 rows, frames, bins and center frame (-1 if none); int32 sources
    (rows, frames) and moves (rows,); float32 offsets (rows, bins), time factors (rows, frames)
    and bin factors (rows, bins); float32 space for (threads, frames, bins); x (rows, frames,
    bins), which is changed in place.

    Threads divide the rows among them. `dtype` is that of x, uint16 for bfloat16.
    """
    checksum = CHECKSUM

    @cfunc(SIGNATURE, **OPTIONS)
    def region(job):
        rows, frames, bins, center = carray(job[0], (4,), np.int64)
        sources = carray(job[1], (rows, frames), np.int32)
        moves = carray(job[2], (rows,), np.int32)
        offsets = carray(job[3], (rows, bins), np.float32)
        times = carray(job[4], (rows, frames), np.float32)
        factors = carray(job[5], (rows, bins), np.float32)
        first, stride = _my_rows(checksum)
        moved = carray(job[6], (stride, frames, bins), np.float32)[first]
        x = carray(job[7], (rows, frames, bins), dtype)
        for i in range(first, rows, stride):
            move = np.int64(moves[i])
            # The bins from `low` to `high` have a source, the others repeat an edge.
            low = min(max(0, -move), bins)
            high = max(min(bins, bins - move), 0)
            for t in range(frames):
                for j in range(low):
                    moved[t, j] = load(x[i, t, 0]) + offsets[i, j]
                for j in range(low, high):
                    moved[t, j] = load(x[i, t, j + move]) + offsets[i, j]
                for j in range(high, bins):
                    moved[t, j] = load(x[i, t, bins - 1]) + offsets[i, j]
            for t in range(frames):
                source = sources[i, t]
                if t == center:
                    for j in range(bins):
                        x[i, t, j] = store(moved[source, j], x[i, t, j])
                else:
                    for j in range(bins):
                        value = moved[source, j] * times[i, t] * factors[i, j]
                        x[i, t, j] = store(value, x[i, t, j])

    return int(region.address)
