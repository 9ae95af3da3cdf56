"""The memory allocator's treatment of the large blocks that each step allocates and frees."""

import ctypes
import platform

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
"""Parameters of glibc's mallopt."""

_LARGEST_MMAP_THRESHOLD = 32 << 20
_NEVER = 2**31 - 1


def keep_freed_blocks() -> None:
    """Let glibc keep freed blocks of up to 32 MiB for this process; do nothing elsewhere.

    By default glibc returns them to the system, which has to clear every page again in the next
    step. That takes about a twentieth of a training step.
    """
    if platform.libc_ver()[0] == "glibc":
        libc = ctypes.CDLL(None)
        libc.mallopt(_M_MMAP_THRESHOLD, _LARGEST_MMAP_THRESHOLD)
        libc.mallopt(_M_TRIM_THRESHOLD, _NEVER)
