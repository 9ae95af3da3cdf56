"""Dropout whose mask each rank computes for its own rows, for a batch that GPUs divide.

An element is kept or dropped by a hash of its position in the whole batch and of a seed, which
all ranks draw alike. The rows of a batch therefore have the same mask however many ranks divide
it, and none draws numbers for the rows of another: Salmon et al. (2011, "Parallel random
numbers: as easy as 1, 2, 3") call such generators counter-based.
"""

import functools
import importlib.util
import os
import shutil
from collections.abc import Callable

import torch
from torch import Tensor

from framesweep.distributed.collectives import Shard

_WORDS = 1 << 32
"""Number of values of a hash."""
_FIRST_INT = -(1 << 31)


def counter_dropout(x: Tensor, probability: float, shard: Shard) -> Tensor:
    """Return this rank's rows with elements set to zero and the others scaled up; (B, N).

    Args:
        x: This rank's (B, N) rows of the batch.
        probability: Share of the elements to drop, from 0 to below 1.
        shard: Which rows of the batch x holds.
    """
    # Drawn on the device: the host waits for nothing, and the ranks' generators stay in step.
    seeds = torch.randint(_FIRST_INT, -_FIRST_INT, (2,), device=x.device, dtype=torch.int32)
    compute_mask = _mask_on_gpu() if x.is_cuda else counter_mask
    kept = compute_mask(seeds, shard.first, len(x), x.shape[1:].numel(), probability)
    return x * (kept / (1 - probability)).to(x.dtype).view_as(x)


def counter_mask(
    seeds: Tensor, first: int, num_rows: int, num_columns: int, probability: float
) -> Tensor:
    """Return which elements of `num_rows` rows of a batch are kept, as (B, N) bool.

    Position n = row * num_columns + column is kept if the hash h(h(n xor seeds[0]) + seeds[1])
    is at least 2**32 times `probability`, where h is the finalizer of MurmurHash3 (Appleby,
    2011), whose every output bit depends on every input bit. The hash repeats after 2**32
    positions.

    Args:
        seeds: (2,) int32.
        first: Number of the first row in the whole batch.
        num_rows, num_columns: B and N.
        probability: Share of the elements to drop, from 0 to below 1.
    """
    device, dtype = seeds.device, torch.int32
    rows = torch.arange(first, first + num_rows, device=device, dtype=dtype) * num_columns
    positions = rows[:, None] + torch.arange(num_columns, device=device, dtype=dtype)
    hashes = _finalize(_finalize(positions ^ seeds[0]) + seeds[1])
    # Torch compares int32 as signed: with its top bit flipped, a hash has its unsigned rank.
    dropped = min(round(probability * _WORDS), _WORDS - 1)
    return (hashes ^ _FIRST_INT) >= dropped + _FIRST_INT


def _finalize(x: Tensor) -> Tensor:
    """Return the finalizer of MurmurHash3 of each int32, taken as 32 bits without a sign."""
    x = x ^ _shift(x, 16)
    x = x * (0x85EBCA6B - _WORDS)  # int32 products wrap around, as the hash wants
    x = x ^ _shift(x, 13)
    x = x * (0xC2B2AE35 - _WORDS)
    return x ^ _shift(x, 16)


def _shift(x: Tensor, bits: int) -> Tensor:
    """Shift to the right, filling with zeros; torch fills int32 with the sign."""
    return (x >> bits) & ((1 << (32 - bits)) - 1)


def can_compile() -> bool:
    """Return whether torch.compile finds what it needs for a GPU: Triton and a C compiler."""
    compilers = (os.environ.get("CC", "gcc"), "cc", "clang")
    return importlib.util.find_spec("triton") is not None and any(map(shutil.which, compilers))


@functools.cache
def _mask_on_gpu() -> Callable[[Tensor, int, int, int, float], Tensor]:
    """Return `counter_mask` as one kernel, which writes a byte per element and reads nothing.

    Where it cannot be compiled it is about twenty kernels, which cost more memory traffic than
    drawing the rows of a dozen ranks, but give the same mask.
    """
    return torch.compile(counter_mask, dynamic=True) if can_compile() else counter_mask
