"""Processes and their descendants, found and signalled by their ids."""

import contextlib
import os
from collections.abc import Iterable
from pathlib import Path


def process_tree(pid: int) -> list[int]:
    """Return a process and all of its descendants; empty if it has ended."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return []
    return [pid, *(descendant for child in children for descendant in process_tree(int(child)))]


def send_signal(pids: Iterable[int], signum: int) -> None:
    """Send a signal to each of the processes that still exists."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signum)


def is_suspended(pid: int) -> bool:
    """Return whether no thread of a process runs any more, because of SIGSTOP or its end."""
    try:
        stats = [p.read_text() for p in Path(f"/proc/{pid}/task").glob("*/stat")]
    except OSError:
        return False  # a thread has just ended, so the others may be running
    # The state follows the name of the command, which is in parentheses (proc_pid_stat(5)).
    return all(stat.rpartition(")")[2].split()[0] in "TZX" for stat in stats)
