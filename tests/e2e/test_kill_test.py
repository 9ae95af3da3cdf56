"""The record and the moments of `make faults`."""

import os
import random
import signal
import subprocess
import sys
from collections import Counter

import pytest

from faults import moments
from faults.kill_record import KillRecord


def test_a_test_continues_from_its_record(tmp_path):
    path = tmp_path / "kills.jsonl"
    KillRecord("run", 0, path).add(Counter({"in training": 3}), "")
    KillRecord("run", 0, path).add(Counter({"before training": 2}), "weights: a instead of b")
    record = KillRecord("run", 0, path)
    assert (record.num_victims, record.num_kills) == (2, 5)
    result = record.summarize()
    assert (result.tried, result.survived) == (5, 3)
    assert result.failures == ["weights: a instead of b"]


def test_a_record_counts_neither_another_seed_nor_another_kind(tmp_path):
    path = tmp_path / "kills.jsonl"
    KillRecord("run", 0, path).add(Counter({"in training": 3}), "")
    assert KillRecord("run", 1, path).num_kills == 0
    assert KillRecord("sweep", 0, path).num_kills == 0


def test_every_fifth_moment_is_before_the_training_and_the_others_reach_the_end():
    rng, duration = random.Random(0), moments.Duration(start=1.0, total=9.0)
    drawn = [duration.draw(rng) for _ in range(2000)]
    assert sum(moment < 1 for moment in drawn) / len(drawn) == pytest.approx(0.2, abs=0.03)
    assert 8.5 < max(drawn) < 9


@pytest.mark.skipif(sys.platform != "linux", reason="uses clocks of Linux")
def test_a_process_is_reached_after_its_own_time_on_the_cpu():
    program = "import os\nos.fork()\nwhile True: pass"
    process = subprocess.Popen(
        [sys.executable, "-S", "-c", program], text=True, start_new_session=True
    )
    try:
        clock = moments.CpuClock(process.pid)
        assert moments.wait_until(process, clock.read, 0.2)
        assert clock.read() >= 0.2
        assert len(moments.list_children(process.pid)) == 1
    finally:
        os.killpg(process.pid, signal.SIGKILL)
    assert not moments.wait_until(process, clock.read, None)
