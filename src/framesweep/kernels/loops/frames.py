"""The loop over frames that augments a batch in one pass over memory.

    x[i, t, j] <- (x[i, source[i, t], j + move[i]] + offset[i, j]) * time[i, t] * bin[i, j]

`j + move[i]` is limited to the bins of a frame. If there is a center frame, no mask changes it:
its `time` and `bin` are 1.
"""

# numba gives the loop its types.
# mypy: ignore-errors

from functools import cache

import numpy as np
from numba import carray, cfunc

from framesweep.kernels.compilation import OPTIONS
from framesweep.kernels.loops.regions import (
    CHECKSUM,
    SIGNATURE,
    my_share,
    num_threads,
    thread_number,
)
from framesweep.kernels.loops.scalars import load, store


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
        moved = carray(job[6], (num_threads(), frames, bins), np.float32)[thread_number()]
        x = carray(job[7], (rows, frames, bins), dtype)
        first, end = my_share(rows, checksum)
        for i in range(first, end):
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
