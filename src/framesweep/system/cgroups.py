"""The memory limits of Linux control groups."""

from collections.abc import Iterator
from pathlib import Path

from framesweep.system.processes import count_machine_memory

ROOT = Path("/")
LIMITS = {
    "": ("sys/fs/cgroup", "memory.max"),
    "memory": ("sys/fs/cgroup/memory", "memory.limit_in_bytes"),
}
"""Mount point and limit file of control groups, by controller; version 2 has no name."""


def memory_limit(root: Path = ROOT) -> int:
    """Return the bytes of memory that this process may use.

    That is the memory of the machine or the smallest limit of a control group, as containers
    and Slurm set it.

    Args:
        root: Root of the file system in which the control groups are looked up.
    """
    return min([count_machine_memory(), *_group_limits(root)])


def _group_limits(root: Path) -> Iterator[int]:
    """Yield the limits in bytes of this process's control groups and of their ancestors."""
    try:
        groups = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return
    for line in groups:
        _, controllers, path = line.split(":", maxsplit=2)
        if controllers not in LIMITS:
            continue
        mount, name = LIMITS[controllers]
        group = Path(path.strip("/"))
        for folder in (group, *group.parents):
            try:
                text = (root / mount / folder / name).read_text().strip()
            except OSError:
                continue
            if text.isdigit():
                yield int(text)
