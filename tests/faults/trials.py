"""A sweep of many trials that train nothing: time and memory per trial must not grow."""

import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

from faults.fault_result import FaultResult

APP = Path(__file__).parents[1] / "sweep_app.py"
WORKERS = 4
PART = 1000
"""Number of trials over which time and memory are compared."""

SLOWER, LARGER = 1.25, 1.25
"""How many times the CPU time per trial and the memory of the second part the last may have."""


def run_trials(folder: Path, count: int) -> FaultResult:
    """Run a random search of `count` trials, and compare its thousands with each other."""
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
            memory, cpu = _read_memory_and_cpu(process.pid)
            if cpu < marks[-1][2]:  # At the end, the workers have gone with their figures.
                _, memory, cpu = marks[-1]
            marks.append((time.monotonic(), memory, cpu))
            if (ended := len(marks) - 1) % PART == 0:
                part = _summarize_part(marks, ended - PART)
                print(f"{ended:,} trials: {part}", file=sys.stderr, flush=True)
    result.tried = count
    result.survived = len(marks) - 1 if process.wait() == 0 else 0
    parts = [_summarize_part(marks, i) for i in range(0, len(marks) - PART, PART)]
    result.note = "; ".join(str(part) for part in parts)
    # In the first part, caches fill and the workers start.
    if len(parts) > 2 and (
        parts[-1].cpu_ms > SLOWER * parts[1].cpu_ms
        or parts[-1].megabytes > LARGER * parts[1].megabytes
    ):
        result.failures.append("the last trials took more time or memory than earlier ones")
    return result


class Part(NamedTuple):
    """What a trial of one part took, and the memory of all processes at its end."""

    ms: float
    cpu_ms: float
    megabytes: float

    def __str__(self) -> str:
        return f"{self.ms:.0f} ms ({self.cpu_ms:.0f} ms of CPU), {self.megabytes:.0f} MB"


def _summarize_part(marks: list[tuple[float, float, float]], first: int) -> Part:
    begin, end = marks[first], marks[min(first + PART, len(marks) - 1)]
    return Part(1000 * (end[0] - begin[0]) / PART, 1000 * (end[2] - begin[2]) / PART, end[1])


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
