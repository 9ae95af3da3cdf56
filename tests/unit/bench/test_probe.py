"""The probe measures its own process; the quick bench in commands/ runs it as a whole."""

import time
from pathlib import Path

import numpy as np
import pytest

from framesweep.bench import probe


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the system has no /proc")
def test_memory_contains_the_peak_and_its_parts() -> None:
    memory = probe.read_memory()
    assert set(memory) == {"peak", "own", "files"}
    assert memory["peak"] >= memory["own"] > 1_000_000


def test_memory_is_empty_without_proc(monkeypatch) -> None:
    def missing(self: Path, encoding: str) -> str:
        raise FileNotFoundError

    monkeypatch.setattr(Path, "read_text", missing)
    assert probe.read_memory() == {}


def test_clocks_count_from_the_start_or_cpu_time() -> None:
    assert probe._build_clock("cpu") is time.process_time
    seconds = probe._build_clock(repr(time.monotonic() - 100))()
    assert 100 <= seconds < 110


def test_touching_reads_one_value_of_each_page() -> None:
    class Recorder(np.ndarray):
        """Remembers how many values were read."""

        read = 0

        def __getitem__(self, index):
            found = super().__getitem__(index)
            Recorder.read += found.size
            return found

    array = np.zeros((4 * probe.PAGE_BYTES // 4, 1), dtype=np.float32).view(Recorder)
    probe._touch_pages(array)
    assert Recorder.read == 4
