"""A sweep of many trials that train nothing: time and memory per trial must not grow."""

import os
import re
import subprocess
import sys
import time
from pathlib import Path

from faults.fault_result import FaultResult

APP = Path(__file__).parents[1] / "sweep_app.py"
PART, WORKERS = 100, 4
"""Number of trials at the start and at the end that are compared, and number of workers."""


def run_trials(folder: Path, count: int) -> FaultResult:
    """Run a random search of `count` trials, and compare its first hundred with its last."""
    result = FaultResult(f"a sweep of {count:,} empty trials")
    command = [
        *[sys.executable, str(APP), "-m", "hydra.sweeper.study_name=s", "x=interval(0.0,1.0)"],
        *["hydra/sweeper/sampler=random", "hydra/sweeper/pruner=none", "epochs=1", "seconds=0"],
        f"hydra.sweeper.n_trials={count}",
        f"hydra.sweeper.n_jobs={WORKERS}",
    ]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(
        command, cwd=folder, env=environment, text=True, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    marks = [(time.monotonic(), *_read_memory_and_cpu(process.pid))]
    for line in process.stdout:
        if re.search(r"trial \d+ (complete|pruned|failed)", line):
            marks.append((time.monotonic(), *_read_memory_and_cpu(process.pid)))
    result.tried = count
    result.survived = len(marks) - 1 if process.wait() == 0 else 0
    first, last = (
        _summarize_part(marks, 1, PART),
        _summarize_part(marks, len(marks) - 1 - PART, PART),
    )
    result.note = (
        f"first {PART}: {first[0]:.0f} ms ({first[1]:.0f} ms of CPU) per trial, "
        f"{first[2]:.0f} MB; last {PART}: {last[0]:.0f} ms ({last[1]:.0f} ms), {last[2]:.0f} MB"
    )
    return result


def _summarize_part(
    marks: list[tuple[float, float, float]], first: int, count: int
) -> list[float]:
    """Return milliseconds and CPU milliseconds per trial, and megabytes at the end."""
    begin, end = marks[first], marks[min(first + count, len(marks) - 1)]
    return [
        1000 * (end[0] - begin[0]) / count,
        1000 * (end[2] - begin[2]) / count,
        end[1],
    ]


def _read_memory_and_cpu(pid: int) -> tuple[float, float]:
    """Return megabytes of memory and seconds of CPU of a process and its children."""
    megabytes = seconds = 0.0
    children = Path(f"/proc/{pid}/task/{pid}/children")
    for one in [pid, *map(int, children.read_text().split())] if children.exists() else []:
        try:
            pages = int(Path(f"/proc/{one}/statm").read_text().split()[1])
            fields = Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        megabytes += pages * os.sysconf("SC_PAGE_SIZE") / 1e6
        seconds += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return megabytes, seconds
