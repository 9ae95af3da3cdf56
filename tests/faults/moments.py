"""The random moments of kills, on a clock that a busy machine does not slow down."""

import os
import random
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

LONGEST_SECONDS = 1800.0
"""How long a command that nothing kills may take, on a busy machine."""

POLL_SECONDS = 0.005
CORES = os.cpu_count() or 1
CPUCLOCK_SCHED = 2
"""From the kernel's <linux/posix-timers.h>: the CPU time of all threads of a process."""


@dataclass
class Duration:
    """The CPU time of a command that nothing kills.

    Attributes:
        start: the seconds until it trains.
        total: the seconds until it ends.
    """

    start: float = 0.0
    total: float = 0.0

    def draw(self, rng: random.Random, *, has_started: bool = False) -> float:
        """Return a moment at which to kill it: every fifth during the start.

        Of the others, the earlier half is within a sixteenth of the time that follows. Each
        start continues what the previous one has left, and late moments alone would let it
        end after a few kills.

        Args:
            has_started: whether the moment is for one that has survived a kill, as a sweep
                survives that of a worker.
        """
        if rng.random() < 0.2:
            return self.start * rng.random()
        start = 0.0 if has_started else self.start
        return start + (self.total - self.start) * float(rng.random()) ** 4


def read_cpu_seconds(pid: int) -> float:
    """Return the CPU time of a process; zero if there is no such process."""
    try:
        return time.clock_gettime((~pid << 3) | CPUCLOCK_SCHED)
    except OSError:
        return 0.0


def list_children(pid: int) -> list[int]:
    """Return the ids of the children that the main thread of a process has started."""
    try:
        return [
            int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        ]
    except OSError:
        return []


class CpuClock:
    """The CPU time of a process and its children, including those that have ended."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._seconds: dict[int, float] = {}

    def read(self) -> float:
        for pid in (self._pid, *list_children(self._pid)):
            seconds = read_cpu_seconds(pid)
            self._seconds[pid] = max(seconds, self._seconds.get(pid, 0.0))
        return sum(self._seconds.values())


def wait_until(
    process: "subprocess.Popen[str]", clock: Callable[[], float], moment: float | None
) -> bool:
    """Wait until a process has used the CPU until `moment`, and return whether it has.

    Args:
        clock: returns the seconds of CPU time so far.
        moment: None waits until the process ends.

    Raises:
        TimeoutExpired: the process takes longer than any undisturbed one.
    """
    if moment is None:
        process.wait(LONGEST_SECONDS)
        return False
    end = time.monotonic() + LONGEST_SECONDS
    while process.poll() is None:
        missing = moment - clock()
        if missing <= 0:
            return True
        if time.monotonic() > end:
            process.kill()
            raise subprocess.TimeoutExpired(process.args, LONGEST_SECONDS)
        # All cores together cannot use it up faster.
        time.sleep(max(POLL_SECONDS, missing / CORES))
    return False
