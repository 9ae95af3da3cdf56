"""The identity of a process, and whether that process has ended."""

import ctypes
import functools
import os
import socket
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

_SYNCHRONIZE, _ACCESS_DENIED, _WAIT_TIMEOUT = 0x100000, 5, 258
"""The right to wait for a process, and two results, from Windows's winnt.h and winerror.h."""


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
        if not _exists(self.pid):
            return True
        return Path("/proc/self/stat").exists() and started is None


def _exists(pid: int) -> bool:
    """Return whether a process has this id, which may belong to another user."""
    if sys.platform == "win32":
        return _exists_on_windows(pid)
    try:
        os.kill(pid, 0)  # signal 0 only checks that the process exists
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _exists_on_windows(pid: int) -> bool:
    """Return the same on Windows, where `os.kill` would end the process."""
    kernel32 = ctypes.WinDLL("kernel32", use_last_error=True)  # type: ignore[attr-defined]
    kernel32.OpenProcess.restype = ctypes.c_void_p
    process = ctypes.c_void_p(kernel32.OpenProcess(_SYNCHRONIZE, False, pid))
    if not process:
        return bool(ctypes.get_last_error() == _ACCESS_DENIED)  # type: ignore[attr-defined]
    try:
        # An ended process keeps its id while somebody has a handle to it.
        return bool(kernel32.WaitForSingleObject(process, 0) == _WAIT_TIMEOUT)
    finally:
        kernel32.CloseHandle(process)


def _read_place() -> str:
    """Return the boot id and the process namespace, or without /proc the machine's name."""
    return _find_place(os.getpid())


@functools.lru_cache(maxsize=1)
def _find_place(pid: int) -> str:
    """Return the same for this process, whose id is `pid`; it never changes its namespace."""
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
