"""Files and folders that appear whole or not at all."""

import contextlib
import os
import shutil
import socket
import uuid
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """Gives a temporary path beside `path`; on success it is synced and renamed to it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{_mark()}")
    try:
        yield temporary
        with temporary.open("rb") as handle:
            os.fsync(handle.fileno())
        temporary.replace(path)
    except OSError as error:
        raise _named(error, path) from None
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Gives a temporary folder beside `path`; on success it is renamed to it.

    Several processes may fill the same folder at once: the first to finish wins, what the
    others made is dropped. A folder left by a process that was killed is removed by the next.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    _remove_leftovers(path)
    temporary = path.with_name(f".{path.name}.{_mark()}")
    temporary.mkdir()
    try:
        yield temporary
        with contextlib.suppress(OSError):
            temporary.rename(path)
        if not path.is_dir():
            raise FileNotFoundError(f"{path}: could not be put in place")
    except OSError as error:
        raise _named(error, path) from None
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def write_text(path: Path, text: str) -> None:
    """Writes `text` atomically."""
    with atomic_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _named(error: OSError, path: Path) -> OSError:
    """`error` with the file that it is about: writing to one that is open does not name it."""
    if error.filename is None and error.errno is not None:
        error.filename = str(path)
    return error


def _mark() -> str:
    return f"{socket.gethostname()}.{os.getpid()}.{uuid.uuid4().hex[:8]}.tmp"


def _remove_leftovers(path: Path) -> None:
    host = socket.gethostname()
    for leftover in path.parent.glob(f".{path.name}.{host}.*.tmp"):
        pid = leftover.name.removeprefix(f".{path.name}.{host}.").split(".")[0]
        if pid.isdigit() and not _alive(int(pid)):
            shutil.rmtree(leftover, ignore_errors=True)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
