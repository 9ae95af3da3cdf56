"""Lists the files of a folder, through links too, without following links in circles."""

import logging
import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path

log = logging.getLogger(__name__)

_Identity = tuple[int, int]
"""The device and the inode of a folder, which are the same under each of its names."""


def walk(folder: Path) -> Iterator[Path]:
    """Yield all files in a folder and its subfolders, except hidden ones.

    A folder that cannot be read, such as lost+found, is skipped with a warning.

    Links to folders are followed, because corpora are often assembled of links. A link to a
    folder that contains it is not: each file would be found once per level of the loop.
    Below a link, each folder is visited once, so that folders that link to each other cost no
    more time than there are links.
    """
    # Each entry: a folder, the folders that a link in it must not lead to, and whether that set
    # is shared by everything below a link instead of naming the folder's parents only.
    identity = _identify(folder)
    pending = [(folder, {identity} if identity else set(), False)]
    while pending:
        current, seen, below_link = pending.pop()
        try:
            entries = sorted(os.scandir(current), key=lambda entry: entry.name)
        except OSError as error:
            _warn_of_unreadable(current, error.strerror)
            continue
        for entry in entries:
            if not entry.is_dir():
                if not entry.name.startswith("."):
                    yield Path(entry.path)
                continue
            child = _identify(entry.path)
            if child is None or child in seen:
                continue
            if below_link:
                seen.add(child)
                pending.append((Path(entry.path), seen, True))
            else:
                pending.append((Path(entry.path), {*seen, child}, entry.is_symlink()))


@cache  # a corpus is walked several times
def _warn_of_unreadable(folder: Path, reason: str | None) -> None:
    log.warning("skipping a folder that cannot be read: %s (%s)", folder, reason)


def _identify(folder: str | Path) -> _Identity | None:
    try:
        status = Path(folder).stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino
