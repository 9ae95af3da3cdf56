"""Runs compiled functions on the threads torch computes with.

A second pool of threads would fight torch's for the cores, as OpenMP's workers spin for a
while after each parallel region. So a function goes to the very pool, by `GOMP_parallel` of
the OpenMP library that torch has loaded.
"""

import ctypes
from functools import cache
from pathlib import Path

import torch


@cache
def library() -> Path | None:
    """The GNU OpenMP library in this process; None where torch uses another, or none."""
    try:
        maps = Path("/proc/self/maps").read_text()
    except OSError:
        return None
    torch_folder = str(Path(torch.__file__).parent)
    paths = {line.split(maxsplit=5)[-1] for line in maps.splitlines() if "libgomp" in line}
    # Another package may have brought a second one.
    ordered = sorted(paths, key=lambda path: (not path.startswith(torch_folder), path))
    return Path(ordered[0]) if ordered else None


@cache
def _parallel() -> "ctypes._NamedFuncPointer":
    path = library()
    assert path is not None
    function = ctypes.CDLL(str(path)).GOMP_parallel
    function.argtypes = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint, ctypes.c_uint)
    function.restype = None
    return function


def run(address: int, pointers: tuple[int, ...]) -> None:
    """Calls the C function at `address`, void (void **), on each of torch's threads.

    Args:
        address: of the function; it asks OpenMP for its thread's number.
        pointers: to arrays that live until this returns; the function gets them all.
    """
    job = (ctypes.c_void_p * len(pointers))(*pointers)
    _parallel()(address, ctypes.addressof(job), torch.get_num_threads(), 0)
