"""The memory that control groups leave a process."""

import os

import pytest

from framesweep.system.cgroups import memory_limit

MACHINE = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def write(root, files):
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, MACHINE),
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "max\n"}, MACHINE),
        (
            {
                "proc/self/cgroup": "0::/jobs/mine\n",
                "sys/fs/cgroup/jobs/mine/memory.max": "4096\n",
            },
            4096,
        ),
        (  # the parent group has the smaller limit
            {
                "proc/self/cgroup": "0::/jobs/mine\n",
                "sys/fs/cgroup/jobs/mine/memory.max": "max\n",
                "sys/fs/cgroup/jobs/memory.max": "2048\n",
            },
            2048,
        ),
        (
            {
                "proc/self/cgroup": "3:cpu:/\n2:memory:/mine\n",
                "sys/fs/cgroup/memory/mine/memory.limit_in_bytes": "1024\n",
                "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
            },
            1024,
        ),
    ],
)
def test_the_smallest_limit_counts(tmp_path, files, expected):
    write(tmp_path, files)
    assert memory_limit(tmp_path) == expected
