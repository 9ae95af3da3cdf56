"""How much memory a run may use."""

import os
from collections.abc import Iterator
from pathlib import Path

ROOT = Path("/")
LIMITS = {
    "": ("sys/fs/cgroup", "memory.max"),
    "memory": ("sys/fs/cgroup/memory", "memory.limit_in_bytes"),
}
"""Where control groups of version 2 and 1 are, and the file in them with their limit."""


def allowed_bytes(root: Path = ROOT) -> int:
    """Bytes of this machine's memory, or of the least that a control group grants.

    Args:
        root: of the file system that tells.
    """
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return min([pages, *_granted(root)])


def _granted(root: Path) -> Iterator[int]:
    """The limits of the control groups that this process is in, and of those above them."""
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
