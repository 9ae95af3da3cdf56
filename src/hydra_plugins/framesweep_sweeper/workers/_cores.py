"""The number of processor cores to compute with."""

import ctypes
import functools
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

CPU_MAX = Path("/sys/fs/cgroup/cpu.max")
"""The file with the CPU quota of this process's control group (version 2)."""
UNLIMITED = 1 << 16


def count_cores() -> int:
    """Return the number of physical cores that this process may use.

    That is the number of cores in the CPU affinity of the process, at most the quota of its
    control group. The hardware threads of one core count once: they share the units that
    multiply matrices, and a second thread would only slow down the first.

    `joblib.cpu_count(only_physical_cores=True)` differs in two cases that matter here. Within
    a CPU affinity, which Slurm and containers set, it counts all hardware threads. And it
    rounds a quota of 2.5 cores up: the system would stop the third thread half of the time,
    while the others wait for it at the end of each operation.

    On macOS and Windows there is neither an affinity nor a control group to respect. Of Apple's
    processors, only the performance cores count: threads divide an operation evenly, so that
    one on an efficiency core would keep the others waiting.
    """
    if not hasattr(os, "sched_getaffinity"):
        return _count_machine_cores(sys.platform) or os.cpu_count() or 1
    cores = {_siblings(cpu) for cpu in os.sched_getaffinity(0)}
    return max(1, min(len(cores), _quota()))


def _siblings(cpu: int) -> str:
    """Return the hardware threads of the core that logical CPU number `cpu` belongs to."""
    topology = Path(f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list")
    try:
        return topology.read_text(encoding="utf-8")
    except OSError:
        return str(cpu)


def _quota() -> int:
    """Return the whole cores that the control group grants, UNLIMITED without a quota."""
    try:
        quota, period = CPU_MAX.read_text(encoding="utf-8").split()
        return int(quota) // int(period)
    except (OSError, ValueError):
        return UNLIMITED


@functools.cache
def _count_machine_cores(platform: str) -> int:
    """Return the cores of a machine with macOS or Windows; 0 if they are unknown.

    Args:
        platform: `sys.platform`.
    """
    if platform == "darwin":
        # Processors of one kind of cores have no levels of performance.
        return read_sysctl("hw.perflevel0.physicalcpu") or read_sysctl("hw.physicalcpu")
    if platform == "win32":
        return count_core_records(read_core_records())
    return 0


def read_sysctl(name: str) -> int:
    """Return a number that macOS knows by this name; 0 if it does not."""
    try:
        done = subprocess.run(
            ["/usr/sbin/sysctl", "-n", name], capture_output=True, text=True, check=True
        )
        return int(done.stdout)
    except (OSError, ValueError, subprocess.CalledProcessError):
        return 0


def read_core_records() -> bytes:
    """Return the records of Windows's GetLogicalProcessorInformationEx, one per core."""
    kernel32: Any = ctypes.WinDLL("kernel32")  # type: ignore[attr-defined]
    # RelationProcessorCore is 0. The first call only says how many bytes there are.
    size = ctypes.c_uint32(0)
    kernel32.GetLogicalProcessorInformationEx(0, None, ctypes.byref(size))
    buffer = ctypes.create_string_buffer(size.value)
    done = kernel32.GetLogicalProcessorInformationEx(0, buffer, ctypes.byref(size))
    return buffer.raw[: size.value] if done else b""


def count_core_records(records: bytes) -> int:
    """Return the number of records, each of which has its size as its second 32-bit number."""
    count = start = 0
    while size := int.from_bytes(records[start + 4 : start + 8], "little"):
        count, start = count + 1, start + size
    return count
