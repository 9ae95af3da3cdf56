"""The identity of a process, and whether that process has ended."""

import os
import socket
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Process:
    """A process on some machine.

    A process id alone identifies nothing: ids are reused, every container counts its own, and
    machines may have the same name. So a process is only ever declared dead where its id can be
    looked up, and where the start time shows that the id is still its own.

    The fields are stored with trials and are read by later versions; see `load`.

    Attributes:
        host: the machine's name, for people to read.
        pid: the process id.
        started: the start time in clock ticks since boot; empty where /proc is missing.
        place: the boot and the process namespace in which `pid` has a meaning.
    """

    host: str
    pid: int
    started: str
    place: str = ""

    @classmethod
    def current(cls) -> "Process":
        """Return this process."""
        return cls.of(os.getpid())

    @classmethod
    def of(cls, pid: int) -> "Process":
        """Return the process with this id on this machine."""
        return cls(socket.gethostname(), pid, _read_start(pid) or "", _read_place())

    @classmethod
    def load(cls, record: dict[str, Any]) -> "Process":
        """Return the process of a record that `dump` made, in this version or another."""
        names = cls.__dataclass_fields__
        return cls(**{name: value for name, value in record.items() if name in names})

    def dump(self) -> dict[str, Any]:
        """Return the fields as a dict that can be stored as JSON."""
        return asdict(self)

    def is_known_dead(self) -> bool:
        """Return True only if the process could be looked up here and has ended.

        False also stands for a process on another machine, of which nothing is known.
        """
        if self.place != _read_place():
            return False
        started = _read_start(self.pid)
        if started is not None and self.started:
            return started != self.started
        try:
            os.kill(self.pid, 0)  # signal 0 only checks that the process exists
        except ProcessLookupError:
            return True
        except PermissionError:
            return False
        return Path("/proc/self/stat").exists() and started is None


def _read_place() -> str:
    """Return the boot id and the process namespace, or without /proc the machine's name."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="utf-8").strip()
        return f"{boot}/{Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return socket.gethostname()


def _read_start(pid: int) -> str | None:
    """Return the clock ticks from boot to the process's start.

    None stands for a process that has ended, for a zombie, and for a system without /proc.
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    # The second field is the program's name in parentheses, which may itself contain both.
    fields = stat.rpartition(")")[2].split()
    state, start_ticks = fields[0], fields[19]
    return None if state in "ZX" else start_ticks
