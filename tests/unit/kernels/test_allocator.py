"""Freed blocks stay with the process."""

import platform
import subprocess
import sys

import pytest

SCRIPT = """
import ctypes, resource, sys
import torch
from framesweep import kernels

# glibc's documented threshold. Left to itself, glibc raises it to the size of the largest block
# ever freed. Whether it then gives these blocks back depends on what else is in the heap.
M_MMAP_THRESHOLD = -3
ctypes.CDLL(None).mallopt(M_MMAP_THRESHOLD, 128 << 10)
if sys.argv[1] == "keep":
    kernels.keep_freed_blocks()
sizes = [7 << 20, 3 << 20, 5 << 20]
def step():
    return [torch.ones(size // 4) for size in sizes]
def count():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(20):
        step()
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
# The least of several counts: meanwhile the system may take pages that it believes to be idle.
print(min(count() for _ in range(10)))
"""


def faults(mode: str) -> int:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, mode], check=True, capture_output=True, text=True
    )
    return int(done.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="a setting of glibc's")
def test_kept_blocks_cost_no_page_faults() -> None:
    assert 10 * faults("keep") < faults("give back")
