"""Checksums of a prepared corpus and its views, and the error of a file that is damaged."""

from collections.abc import Iterable
from pathlib import Path
from typing import Self

from framesweep.errors import DataError
from framesweep.system.checksums import DamagedFileError, crc32, verify_folder


class ChecksumFile:
    """A binary file and the checksum of what was written to it.

    The checksum is that of the data in memory, so a disk that stores something else is noticed
    when the file is read.
    """

    def __init__(self, path: Path) -> None:
        self._file = path.open("wb")
        self._checksum = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()

    def write(self, data: bytes | memoryview) -> None:
        """Append `data`, which may be the memory of a C-contiguous array."""
        self._file.write(data)
        self._checksum = crc32(data, self._checksum)

    @property
    def checksum(self) -> str:
        """The checksum of everything written, as `checksums.checksum` returns it."""
        return f"{self._checksum:08x}"


def verify(folder: Path, suffixes: Iterable[str], *, full: bool = False) -> None:
    """Compare the files of a folder with these suffixes with their checksums.

    Raises:
        DataError: a file is damaged.
    """
    wanted = tuple(suffixes)
    names = [path.name for path in folder.iterdir()]
    try:
        verify_folder(folder, [n for n in names if n.endswith(wanted)], full=full)
    except DamagedFileError as error:
        raise damaged(error.path, str(error), folder) from None


def damaged(path: Path, reason: str, folder: Path) -> DataError:
    """Return the error of a damaged file in a folder that can be created again."""
    return DataError(
        path,
        f"must be as it was written, but {reason}",
        fix=f"Delete {folder}; it will be created again.",
    )
