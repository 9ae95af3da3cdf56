"""Child processes and the memory of this one, on POSIX systems and on Windows."""

import contextlib
import ctypes
import os
import shutil
import signal
import subprocess
import sys
from typing import Any

from framesweep.errors import InsufficientMemoryError

LEAST_ADDRESS_SPACE = 1536
"""Megabytes of address space below which torch, its compiled loops and MLflow do not all fit.
Training of a tiny network needed 1,500."""


def own_group_options() -> dict[str, Any]:
    """Return the options of Popen that start a child in a process group of its own.

    Ctrl-C in the terminal then does not reach it, and `end_group` ends it with its children.
    """
    if hasattr(os, "killpg"):
        return {"start_new_session": True}
    # 0 only where Windows is simulated.
    return {"creationflags": getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)}


def end_group(
    process: "subprocess.Popen[bytes] | subprocess.Popen[str]", seconds: float
) -> None:
    """End a process that `own_group_options` started, and its children.

    On POSIX systems they are asked by SIGTERM, and killed after `seconds`. Windows knows no
    such request, so there they are killed.
    """
    if hasattr(os, "killpg"):
        for signum in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signum)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(seconds)
        return
    if (taskkill := shutil.which("taskkill")) is not None:
        command = [taskkill, "/T", "/F", "/PID", str(process.pid)]
        subprocess.run(command, check=False, capture_output=True)
    process.kill()
    process.wait()


def measure_peak_memory() -> int:
    """Return the largest memory that this process has used so far, in bytes."""
    try:
        import resource
    except ImportError:
        return _measure_windows_peak()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak * (1 if sys.platform == "darwin" else 1024)


def require_address_space() -> None:
    """Check the limit that `ulimit -v` sets, before libraries are loaded.

    Some of them abort the process where an allocation fails.

    Raises:
        InsufficientMemoryError: The limit is below LEAST_ADDRESS_SPACE.
    """
    try:
        import resource
    except ImportError:
        return
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    if limit != resource.RLIM_INFINITY and limit < LEAST_ADDRESS_SPACE * 2**20:
        raise InsufficientMemoryError(
            "memory of the process",
            f"must not be limited to less than {LEAST_ADDRESS_SPACE} MB of addresses",
            found=f"{limit // 2**20} MB",
            fix="Raise the limit with ulimit -v.",
        )


def count_machine_memory() -> int:
    """Return the bytes of memory of this machine."""
    if hasattr(os, "sysconf"):
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    # MEMORYSTATUSEX: two 32-bit numbers, its size the first, and seven of 64 bits.
    status = (ctypes.c_uint64 * 8)()
    status[0] = ctypes.sizeof(status)
    _kernel32().GlobalMemoryStatusEx(ctypes.byref(status))
    return int(status[1])


def _measure_windows_peak() -> int:
    # PROCESS_MEMORY_COUNTERS: two 32-bit numbers, and eight of the size of a pointer, the first
    # of which is PeakWorkingSetSize.
    counters = (ctypes.c_uint64 * 9)()
    counters[0] = ctypes.sizeof(counters)
    kernel32 = _kernel32()
    kernel32.GetCurrentProcess.restype = ctypes.c_void_p
    process = ctypes.c_void_p(kernel32.GetCurrentProcess())
    kernel32.K32GetProcessMemoryInfo(process, ctypes.byref(counters), ctypes.sizeof(counters))
    return int(counters[1])


def _kernel32() -> Any:
    return ctypes.WinDLL("kernel32")  # type: ignore[attr-defined]
