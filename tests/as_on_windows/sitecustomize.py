"""Hides from framesweep what only POSIX systems have; for a folder in PYTHONPATH.

Python imports a module of this name when it starts, in child processes too. The names are
hidden from framesweep and its sweeper alone: the libraries that they use have code for each
system, and would fail if they saw half of two. It is a simulation, and cannot show what Windows
does differently in other ways. `os.sysconf` remains, as its counterpart calls Windows itself.
"""

import builtins
import os
import pathlib
import subprocess
import sys
import types
from collections.abc import Callable
from typing import Any

HIDDEN = {
    "os": {
        *("fork", "forkpty", "killpg", "setsid", "getpgid", "sched_getaffinity"),
        *("getuid", "geteuid", "mkfifo", "statvfs", "register_at_fork", "wait4"),
    },
    "signal": {"SIGHUP", "SIGUSR1", "SIGUSR2", "SIGKILL", "SIGALRM", "pthread_kill"},
    "select": {"poll"},
    "mmap": {"MADV_WILLNEED", "MADV_SEQUENTIAL", "MADV_DONTNEED"},
}
MISSING = {"fcntl", "resource", "pwd", "grp", "termios"}
OURS = ("framesweep", "hydra_plugins.framesweep_sweeper")

_import = builtins.__import__


def _is_ours(name: object) -> bool:
    return isinstance(name, str) and any(
        name == package or name.startswith(f"{package}.") for package in OURS
    )


class _Hiding(types.ModuleType):
    """A module without some of its names."""

    def __init__(self, module: types.ModuleType, hidden: set[str]) -> None:
        super().__init__(module.__name__)
        self.__dict__.update(
            {name: value for name, value in vars(module).items() if name not in hidden}
        )


class _Popen(subprocess.Popen):
    def __init__(self, *args: Any, **options: Any) -> None:
        for name in ("pass_fds", "preexec_fn"):
            if options.get(name):
                raise ValueError(f"{name} is not supported on Windows platforms")
        for name in ("start_new_session", "process_group"):
            if options.pop(name, None) not in (None, False):
                raise ValueError(f"{name} has no effect on Windows")
        super().__init__(*args, **options)


def _make_proxies() -> dict[str, types.ModuleType]:
    processes = _Hiding(subprocess, set())
    vars(processes)["Popen"] = _Popen
    hidden = {name: _Hiding(_import(name), names) for name, names in HIDDEN.items()}
    return {**hidden, "subprocess": processes}


_proxies = _make_proxies()


def _import_hiding(name, globals=None, locals=None, fromlist=(), level=0):
    if level == 0 and globals is not None and _is_ours(globals.get("__name__")):
        if name in MISSING:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        if name in _proxies:
            return _proxies[name]
    return _import(name, globals, locals, fromlist, level)


def _is_called_by_us() -> bool:
    """Return whether our code called pathlib, which may have called itself."""
    frame: types.FrameType | None = sys._getframe(2)
    while frame is not None and frame.f_globals.get("__name__", "").startswith("pathlib"):
        frame = frame.f_back
    return frame is not None and _is_ours(frame.f_globals.get("__name__"))


def _list_open_files() -> set[str]:
    """Return the paths of files that this process has open or mapped into memory."""
    found = set()
    for descriptor in pathlib.Path("/proc/self/fd").iterdir():
        try:
            found.add(str(descriptor.readlink()))
        except OSError:
            continue
    with pathlib.Path("/proc/self/maps").open(encoding="utf-8") as maps:
        found |= {line.split(maxsplit=5)[-1].strip() for line in maps if line.count("/")}
    return found


def _require_closed(*paths: str | os.PathLike[str]) -> None:
    opened = _list_open_files()
    for path in [os.path.realpath(given) for given in paths]:
        for name in opened:
            if name == path or name.startswith(f"{path}/"):
                raise PermissionError(13, "it is open, as Windows would say", str(name))


def _patch_paths() -> None:
    kind = pathlib.Path
    originals = {name: getattr(kind, name) for name in ("replace", "rename", "symlink_to")}

    def renaming(name: str) -> Callable[..., pathlib.Path]:
        def rename(self: pathlib.Path, target: str | os.PathLike[str]) -> pathlib.Path:
            if _is_called_by_us():
                _require_closed(self, target)
                if name == "rename" and pathlib.Path(target).exists():
                    raise FileExistsError(17, "it exists, as Windows would say", str(target))
            return originals[name](self, target)

        return rename

    def symlink_to(self: pathlib.Path, target: Any, *args: Any, **options: Any) -> None:
        if _is_called_by_us():
            raise OSError(22, "A required privilege is not held by the client", str(self))
        originals["symlink_to"](self, target, *args, **options)

    for name in ("replace", "rename"):
        setattr(kind, name, renaming(name))
    kind.symlink_to = symlink_to
    for name in ("open", "read_text", "exists", "readlink", "iterdir", "is_dir", "glob"):
        _hide_proc(kind, name)


def _hide_proc(kind: type, name: str) -> None:
    original = getattr(kind, name)

    def method(self, *args, **options):
        if str(self).startswith("/proc") and _is_called_by_us():
            if name in ("exists", "is_dir"):
                return False
            if name == "glob":
                return iter(())
            raise FileNotFoundError(2, "No such file or directory", str(self))
        return original(self, *args, **options)

    setattr(kind, name, method)


builtins.__import__ = _import_hiding
_patch_paths()
