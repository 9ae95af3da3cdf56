"""Which process holds a trial, and whether it still lives."""

import os
import socket
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Process:
    """A process of some host.

    Attributes:
        host: for people to read; machines may share a name, and containers a machine.
        place: boot and process namespace in which `pid` has a meaning.
        started: tells it from a later process with the same pid.
    """

    host: str
    pid: int
    started: str
    place: str = ""

    @classmethod
    def current(cls) -> "Process":
        return cls.of(os.getpid())

    @classmethod
    def of(cls, pid: int) -> "Process":
        return cls(socket.gethostname(), pid, _start_mark(pid) or "", _place())

    @classmethod
    def load(cls, record: dict[str, Any]) -> "Process":
        names = cls.__dataclass_fields__
        return cls(**{name: value for name, value in record.items() if name in names})

    def dump(self) -> dict[str, Any]:
        return asdict(self)

    def is_known_dead(self) -> bool:
        """True only for a process whose pid can be looked up here, and that has ended."""
        if self.place != _place():
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


def _place() -> str:
    """Boot id and pid namespace; without /proc the host's name."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="utf-8").strip()
        return f"{boot}/{Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return socket.gethostname()


def _start_mark(pid: int) -> str | None:
    """Ticks from boot to the start of a live process; None for a dead one, or without /proc."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()
    state, start_ticks = fields[0], fields[19]
    return None if state in "ZX" else start_ticks
