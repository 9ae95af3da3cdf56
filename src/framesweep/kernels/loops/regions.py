"""What all loops share: a parallel region of OpenMP, in which each thread has a part."""

# numba gives the functions their types.
# mypy: ignore-errors

import zlib
from pathlib import Path

from llvmlite import binding
from numba import njit, types

from framesweep.kernels import activations, compilation, elementary, openmp
from framesweep.kernels.compilation import INLINE

SIGNATURE = types.void(types.CPointer(types.voidptr))
"""That of each region: pointers to its arguments."""

# Makes the functions of torch's own OpenMP library known to the compiled code.
binding.load_library_permanently(str(openmp.find_library()))
thread_number = types.ExternalFunction("omp_get_thread_num", types.int32())
num_threads = types.ExternalFunction("omp_get_num_threads", types.int32())

# Numba recognizes a compiled loop on disk by the time stamp of its own file and by the
# constants that the loop takes from outside. Each loop takes this checksum of all that may be
# compiled into it, so that a change of another file invalidates it, too.
_SOURCES = (
    *sorted(Path(__file__).parent.glob("*.py")),
    *(Path(module.__file__) for module in (activations, compilation, elementary)),
)
CHECKSUM = zlib.crc32(b"".join(path.read_bytes() for path in _SOURCES))


@njit(**INLINE)
def my_share(count, _checksum):
    """Return the first of `count` rows or columns of this thread, and the end of its own.

    The checksum is an argument only so that each loop contains it.
    """
    thread, threads = thread_number(), num_threads()
    return count * thread // threads, count * (thread + 1) // threads
