"""The cores that affinity and control groups leave a process."""

import os
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from hydra_plugins.framesweep_sweeper.workers import _cores
from hydra_plugins.framesweep_sweeper.workers._cores import UNLIMITED, count_cores


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="the system has no affinity")
def test_only_cores_in_the_affinity_count() -> None:
    code = (
        "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))}); "
        "from hydra_plugins.framesweep_sweeper.workers import count_cores; print(count_cores())"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout.strip() == "1"


@pytest.mark.parametrize(("quota", "expected"), [(64, 3), (2, 2), (0, 1)])
def test_two_threads_of_a_core_count_once(
    monkeypatch: pytest.MonkeyPatch, quota: int, expected: int
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 4, 5, 6}, raising=False)
    monkeypatch.setattr(_cores, "_siblings", lambda cpu: f"{cpu % 4},{cpu % 4 + 4}")
    monkeypatch.setattr(_cores, "_quota", lambda: quota)
    assert count_cores() == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [("max 100000", UNLIMITED), ("250000 100000", 2), ("50000 100000", 0), ("", UNLIMITED)],
)
def test_a_quota_is_rounded_down_to_whole_cores(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str, expected: int
) -> None:
    monkeypatch.setattr(_cores, "CPU_MAX", tmp_path / "cpu.max")
    (tmp_path / "cpu.max").write_text(text)
    assert _cores._quota() == expected


def test_without_control_groups_there_is_no_quota(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(_cores, "CPU_MAX", tmp_path / "cpu.max")
    assert _cores._quota() == UNLIMITED


@pytest.fixture
def without_affinity(monkeypatch):
    """A system as macOS and Windows, where a process has no affinity to look up."""
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 10)
    _cores._count_machine_cores.cache_clear()
    yield monkeypatch
    _cores._count_machine_cores.cache_clear()


@pytest.mark.parametrize(
    ("numbers", "expected"),
    [
        ({"hw.perflevel0.physicalcpu": 4, "hw.physicalcpu": 8}, 4),  # an M1
        ({"hw.physicalcpu": 6}, 6),  # an Intel Mac
        ({}, 10),
    ],
)
def test_only_the_performance_cores_of_a_mac_count(without_affinity, numbers, expected):
    without_affinity.setattr(sys, "platform", "darwin")
    without_affinity.setattr(_cores, "read_sysctl", lambda name: numbers.get(name, 0))
    assert count_cores() == expected


def test_a_number_that_macos_does_not_know_is_zero(monkeypatch):
    def run(command, **options):
        if command[-1] == "hw.physicalcpu":
            return subprocess.CompletedProcess(command, 0, stdout="8\n")
        raise subprocess.CalledProcessError(1, command)

    monkeypatch.setattr(subprocess, "run", run)
    assert _cores.read_sysctl("hw.physicalcpu") == 8
    assert _cores.read_sysctl("hw.perflevel0.physicalcpu") == 0


def test_the_threads_of_a_core_of_windows_count_once(without_affinity):
    # Relationship, size, and a content of which the size is not fixed.
    records = b"".join(struct.pack("<II", 0, 8 + size) + bytes(size) for size in (40, 40, 56))
    without_affinity.setattr(sys, "platform", "win32")
    without_affinity.setattr(_cores, "read_core_records", lambda: records)
    assert count_cores() == 3
    _cores._count_machine_cores.cache_clear()
    without_affinity.setattr(_cores, "read_core_records", lambda: b"")
    assert count_cores() == 10
