"""Loops over patches, compiled by numba: their copy, and the sum of their gradients by frame.

Each function here returns the address of a C function for `openmp.run_on_threads`, as in
`rows`. Its arguments are pointers to the (8,) int64 sizes

    num_items, num_frames, num_channels, kernel, dilation, stride, num_patches, first

of `patches.PatchShape` and the frames (N, T, C) it reads, and then to what the docstring names.
Matrices are of float32, or of bfloat16 as uint16.
"""

# numba gives the loops their types.
# mypy: ignore-errors

from functools import cache

import numpy as np
from numba import carray, cfunc

from framesweep.kernels.compilation import OPTIONS
from framesweep.kernels.elementary import ZERO
from framesweep.kernels.loops.regions import CHECKSUM, SIGNATURE, my_share
from framesweep.kernels.loops.scalars import load, store


@cache
def compile_copy(dtype: type[np.generic]) -> int:
    """Compile: (2,) int64 distances of items and of frames in memory, in elements; frames ->
    (N * num_patches, kernel * C) patches."""
    checksum = CHECKSUM

    @cfunc(SIGNATURE, **OPTIONS)
    def region(job):
        sizes = carray(job[0], (8,), np.int64)
        items, frames, channels, kernel, dilation, stride, num_patches, start = sizes
        item_stride, frame_stride = carray(job[1], (2,), np.int64)
        x = carray(job[2], ((items - 1) * item_stride + frames * frame_stride,), dtype)
        patches = carray(job[3], (items * num_patches, kernel, channels), dtype)
        first, end = my_share(items * num_patches, checksum)
        for row in range(first, end):
            item, patch = row // num_patches, row % num_patches
            origin = item * item_stride + (start + patch * stride) * frame_stride
            for k in range(kernel):
                source = x[origin + k * dilation * frame_stride :]
                target = patches[row, k]
                for j in range(channels):
                    target[j] = source[j]

    return int(region.address)


@cache
def compile_sum(dtype: type[np.generic]) -> int:
    """Compile: gradients of the patches -> (N, T, C) their sums by frame.

    Each frame adds up its gradients as torch does: the last frame of a patch first, and every
    sum rounded to the type.
    """
    checksum = CHECKSUM

    @cfunc(SIGNATURE, **OPTIONS)
    def region(job):
        sizes = carray(job[0], (8,), np.int64)
        items, frames, channels, kernel, dilation, stride, num_patches, first = sizes
        gradients = carray(job[1], (items, num_patches, kernel, channels), dtype)
        sums = carray(job[2], (items * frames, channels), dtype)
        first_row, end = my_share(items * frames, checksum)
        for row in range(first_row, end):
            item, frame = row // frames, row % frames
            total = sums[row]
            empty = True
            for k in range(kernel - 1, -1, -1):
                # In 32 bits, which divide several times as fast.
                offset = np.int32(frame - first - k * dilation)
                patch = np.int32(offset // np.int32(stride))
                if offset < 0 or patch * stride != offset or patch >= num_patches:
                    continue
                part = gradients[item, patch, k]
                if empty:
                    for j in range(channels):
                        total[j] = part[j]
                else:
                    for j in range(channels):
                        total[j] = store(load(total[j]) + load(part[j]), total[j])
                empty = False
            if empty:
                for j in range(channels):
                    total[j] = store(ZERO, total[j])

    return int(region.address)
