"""The number of processor cores to compute with."""

import os
from pathlib import Path

CPU_MAX = Path("/sys/fs/cgroup/cpu.max")
"""The file with the CPU quota of this process's control group (version 2)."""
UNLIMITED = 1 << 16


def count_physical_cores() -> int:
    """Return how many threads to compute with: the physical cores that this process may use.

    That is OMP_NUM_THREADS if it is set, and otherwise the number of cores in the CPU affinity
    of the process, at most the quota of its control group. The hardware threads of one core
    count once: they share the units that multiply matrices, and a second thread would only
    slow down the first.

    `joblib.cpu_count(only_physical_cores=True)` differs in two cases that matter here. Within
    a CPU affinity, which Slurm and containers set, it counts all hardware threads. And it
    rounds a quota of 2.5 cores up: the system would stop the third thread half of the time,
    while the others wait for it at the end of each operation.
    """
    if (requested := os.environ.get("OMP_NUM_THREADS", "")).isdigit() and int(requested) > 0:
        return int(requested)
    if not hasattr(os, "sched_getaffinity"):
        return os.cpu_count() or 1
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
