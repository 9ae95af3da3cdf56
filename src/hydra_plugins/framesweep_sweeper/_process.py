"""Which process holds a trial, and whether it still lives."""

import os
import socket
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Process:
    """A process of some host; `started` tells it from a later one with the same pid."""

    host: str
    pid: int
    started: str

    @classmethod
    def current(cls) -> "Process":
        return cls.of(os.getpid())

    @classmethod
    def of(cls, pid: int) -> "Process":
        return cls(socket.gethostname(), pid, _start_mark(pid) or "")

    @classmethod
    def load(cls, record: dict[str, Any]) -> "Process":
        return cls(record["host"], record["pid"], record["started"])

    def dump(self) -> dict[str, Any]:
        return asdict(self)

    def is_known_dead(self) -> bool:
        """True only for a process of this host that has ended."""
        if self.host != socket.gethostname():
            return False
        mark = _start_mark(self.pid)
        if mark is not None and self.started:
            return mark != self.started
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return True
        except PermissionError:
            return False
        return Path("/proc/self/stat").exists() and mark is None


def _start_mark(pid: int) -> str | None:
    """Boot id and start time of a live process; None for a dead one or without /proc."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="utf-8").strip()
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()
    state, start_ticks = fields[0], fields[19]
    return None if state in "ZX" else f"{boot}/{start_ticks}"
