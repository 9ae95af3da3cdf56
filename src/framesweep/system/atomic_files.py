"""Files and folders that appear complete or not at all.

They are written under a temporary name in the same folder and then renamed, which POSIX does
atomically. A reader, or a run that is resumed after a crash, never sees a partial one.
"""

import contextlib
import csv
import functools
import os
import re
import shutil
import socket
import sys
import tempfile
import time
import uuid
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from framesweep.system.locks.ownership import fence
from hydra_plugins.framesweep_sweeper import Process

REPLACE_SECONDS = 5.0
"""How long to try to replace a file that somebody else has open on Windows."""


@contextlib.contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """Yield a temporary path in the folder of `path`, renamed to `path` on success.

    The file is synchronized to disk first: otherwise the rename may survive a power failure
    that its contents do not. It is renamed only while this process still owns the directory,
    if it ever did; see `ownership`. What killed processes left in the folder is deleted by the
    next process that writes a file there. A device or a pipe, such as /dev/stdout, stays what
    it is: the contents are written to it.

    Raises:
        OSError: The file could not be written; `filename` is `path`.
        OwnershipLostError: Another process has taken over the directory.
    """
    if _is_stream(path):
        with _copied_file(path) as temporary:
            yield temporary
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    _remove_leftovers_once(path.parent)
    temporary = path.with_name(f".{path.name}.{_unique_suffix()}")
    try:
        yield temporary
        with temporary.open("r+b") as handle:  # Windows synchronizes what is open to write
            os.fsync(handle.fileno())
        with fence(path):
            replace_file(temporary, path)
    except OSError as error:
        raise _with_filename(error, path, temporary) from None
    finally:
        temporary.unlink(missing_ok=True)


def find_descriptor(path: Path) -> int | None:
    """Return the open file of this process that a path such as /dev/stdout stands for."""
    if (named := re.fullmatch(r"/(?:dev|proc/self)/fd/(\d+)", str(path))) is not None:
        return int(named[1])
    return {"/dev/stdin": 0, "/dev/stdout": 1, "/dev/stderr": 2}.get(str(path))


def _is_stream(path: Path) -> bool:
    """Return whether a path is not that of a file or folder: one in its place would be lost."""
    if find_descriptor(path) is not None:
        return True
    return path.exists() and not path.is_dir() and not path.is_file()


@contextlib.contextmanager
def _copied_file(path: Path) -> Iterator[Path]:
    """Yield a path in a temporary folder, whose contents are written to `path` on success."""
    with tempfile.TemporaryDirectory() as folder:
        temporary = Path(folder, path.name)
        yield temporary
        try:
            with temporary.open("rb") as source, _open_stream(path) as target:
                shutil.copyfileobj(source, target)
        except OSError as error:
            raise _with_filename(error, path) from None


def _open_stream(path: Path) -> BinaryIO:
    """Open a device, a pipe or an open file of this process to write to it.

    An open file is not opened again: it may be one on disk, in which each opening has a
    position of its own.
    """
    if (descriptor := find_descriptor(path)) is None:
        return path.open("wb")
    sys.stdout.flush()
    return os.fdopen(os.dup(descriptor), "wb")


@contextlib.contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Yield a temporary folder in the folder of `path`, renamed to `path` on success.

    Several processes may write the same folder at the same time: the first to finish wins, and
    the others' folders are deleted. What a killed process left is deleted by the next one.

    Raises:
        OSError: The folder could not be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    _remove_leftovers(path.parent)
    temporary = path.with_name(f".{path.name}.{_unique_suffix()}")
    temporary.mkdir()
    try:
        yield temporary
        with contextlib.suppress(OSError):
            temporary.rename(path)
        if not path.is_dir():
            raise FileNotFoundError(f"{path}: cannot be created")
    except OSError as error:
        raise _with_filename(error, path) from None
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text atomically."""
    with atomic_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_csv(path: Path, rows: Iterable[Iterable[object]]) -> None:
    """Write a table as UTF-8 CSV atomically, its header first."""
    with (
        atomic_file(path) as temporary,
        temporary.open("w", encoding="utf-8", newline="") as file,
    ):
        csv.writer(file).writerows(rows)


def replace_file(source: Path, target: Path) -> None:
    """Rename `source` to `target`, which is replaced if it exists.

    Windows refuses that while anybody reads the target, a virus scanner for example, so that
    there it is tried again for a while.
    """
    deadline = time.monotonic() + (REPLACE_SECONDS if sys.platform == "win32" else 0)
    while True:
        try:
            source.replace(target)
        except PermissionError:
            if time.monotonic() >= deadline:
                raise
            time.sleep(0.01)
        else:
            return


def _with_filename(error: OSError, path: Path, temporary: Path | None = None) -> OSError:
    """Return `error` with the name of the file that was to be written.

    An error in writing to an open file has none, and others name the temporary file.
    """
    if error.errno is not None and error.filename in (None, str(temporary), temporary):
        error.filename = str(path)
    return error


def _unique_suffix() -> str:
    return f"{socket.gethostname()}.{os.getpid()}.{uuid.uuid4().hex[:8]}.tmp"


def _remove_leftovers(folder: Path) -> None:
    """Delete temporary files and folders whose processes on this host have ended."""
    pattern = re.compile(rf"\..+\.{re.escape(socket.gethostname())}\.(\d+)\.\w+\.tmp")
    with contextlib.suppress(OSError):  # another process deletes them, or this one may not
        for leftover in folder.iterdir():
            if (found := pattern.match(leftover.name)) is not None:
                _remove_leftover(leftover, Process.of(int(found[1])))


_remove_leftovers_once = functools.cache(_remove_leftovers)
"""Once per folder and process: it may write thousands of files there, one after the other."""


def _remove_leftover(leftover: Path, writer: Process) -> None:
    if not writer.is_known_dead():
        return
    if leftover.is_dir():
        shutil.rmtree(leftover, ignore_errors=True)
    else:
        leftover.unlink(missing_ok=True)
