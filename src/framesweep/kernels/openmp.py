"""Runs compiled functions on the threads with which torch computes.

OpenMP's workers spin for a while after each parallel region, so a second pool of threads would
compete with torch's for the cores. The functions therefore run in the same pool, through
`GOMP_parallel` of the OpenMP library that torch has loaded.
"""

import ctypes
from functools import cache
from pathlib import Path

import torch


@cache
def find_library() -> Path | None:
    """Return the GNU OpenMP library of this process, or None if torch uses another or none."""
    try:
        maps = Path("/proc/self/maps").read_text(encoding="utf-8")
    except OSError:
        return None
    torch_folder = str(Path(torch.__file__).parent)
    paths = {line.split(maxsplit=5)[-1] for line in maps.splitlines() if "libgomp" in line}
    # Another package may have loaded a second one, whose pool torch does not use.
    ordered = sorted(paths, key=lambda path: (not path.startswith(torch_folder), path))
    return Path(ordered[0]) if ordered else None


@cache
def _find_parallel() -> "ctypes._NamedFuncPointer":
    path = find_library()
    assert path is not None
    function = ctypes.CDLL(str(path)).GOMP_parallel
    function.argtypes = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint, ctypes.c_uint)
    function.restype = None
    return function


def run_on_threads(address: int, pointers: tuple[int, ...]) -> None:
    """Call the C function at `address`, `void (void **)`, on each of torch's threads.

    Args:
        address: The function. It asks OpenMP for the number of its thread.
        pointers: Addresses of arrays, which must live until this returns. Each thread gets all.
    """
    job = (ctypes.c_void_p * len(pointers))(*pointers)
    _find_parallel()(address, ctypes.addressof(job), torch.get_num_threads(), 0)
