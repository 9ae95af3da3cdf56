"""Opens the data of a course as it was downloaded: a folder, a folder around it, or a zip file.

A zip file is read in place. `zipfile.Path` stands for a file in it, and has the methods of
`pathlib.Path` that the readers need.
"""

import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

from framesweep.data.formats.npy import find_npy
from framesweep.data.formats.npy_zip import ZIP_ERRORS
from framesweep.data.readers.source_files import (
    FilePath,
    require_inside,
    resolve_inside,
    resolve_root,
    stamp_files,
)
from framesweep.errors import DataError

MAX_LEVELS = 2
"""Folders around the data that an archive may have."""

HOLDS_DATA: dict[str, Callable[[FilePath], bool]] = {
    "hw1p2": lambda folder: find_npy(folder, "train") is not None,
    "hw1p2_folders": lambda folder: any((f / "mfcc").is_dir() for f in _list_folders(folder)),
    "libriphone": lambda folder: (folder / "train_split.txt").is_file(),
    "timit_11": lambda folder: find_npy(folder, "train_11") is not None,
}
"""Whether a folder is that of the data that an option of `data` reads."""


def open_course_root(root: str | None, holds_data: Callable[[FilePath], bool]) -> FilePath:
    """Return the folder of the data: data.root, or the only one in it that holds the data.

    Args:
        root: data.root, the path of a folder or of a zip file.
        holds_data: whether a folder is that of the data.

    Raises:
        ConfigError: data.root is not set.
        DataError: it is neither a folder nor a readable zip file.
    """
    file = Path(root).expanduser().absolute() if root else None
    top = _open_zip(file) if file is not None and file.is_file() else resolve_root(root)
    for level in _list_levels(top):
        found = [folder for folder in level if holds_data(folder)]
        if len(found) == 1:
            return found[0]
        if found:
            names = [str(folder) for folder in found[:3]]
            fix = "Set data.root to one of them."
            raise DataError(
                "data.root", "must contain the data of one course", found=names, fix=fix
            )
    return top


def describe_other_course(root: FilePath, option: str) -> str:
    """Return which other option of `data` than this reads the data in a folder; "" if none."""
    for level in _list_levels(root):
        for name, holds_data in HOLDS_DATA.items():
            if name != option and any(map(holds_data, level)):
                return f"data={name} reads what is there."
    return ""


def _list_levels(top: FilePath) -> Iterator[list[FilePath]]:
    """Yield the folder alone, those in it, and so on as deep as data may lie."""
    level = [top]
    yield level
    for _ in range(MAX_LEVELS):
        level = [child for folder in level for child in _list_folders(folder)]
        yield level


def join_inside(root: FilePath, name: str, key: str) -> FilePath:
    """Return the path of `name`, the value of the config key `key`, under `root`.

    Raises:
        ConfigError: `name` is empty or leads out of `root`.
    """
    if isinstance(root, Path):
        return resolve_inside(root, name, key)
    return root / require_inside(name, key).as_posix()


def stamp_course_files(files: list[FilePath | None]) -> dict[str, tuple[int, int]]:
    """Return the size in bytes and the modification time in ns of each file, by its path.

    A file in a zip file has the modification time of the zip file.
    """
    stamps = stamp_files(file for file in files if isinstance(file, Path))
    times: dict[str, int] = {}
    for file in files:
        if isinstance(file, zipfile.Path):
            archive = str(file.root.filename)
            time = times.setdefault(archive, Path(archive).stat().st_mtime_ns)
            stamps[str(file)] = (file.root.getinfo(file.at).file_size, time)
    return stamps


def _open_zip(path: Path) -> zipfile.Path:
    try:
        return zipfile.Path(zipfile.ZipFile(path))
    except ZIP_ERRORS as error:
        rule = f"must be a folder or a readable zip file ({error})"
        fix = "If it was downloaded, that may be incomplete."
        raise DataError("data.root", rule, found=str(path), fix=fix) from None


def _list_folders(folder: FilePath) -> Iterator[FilePath]:
    # macOS adds a folder __MACOSX with metadata to every archive that it makes.
    children: list[FilePath] = list(folder.iterdir())
    for child in sorted(children, key=lambda child: child.name):
        if not child.name.startswith((".", "__MACOSX")) and child.is_dir():
            yield child
