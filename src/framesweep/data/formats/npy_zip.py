"""Decompresses the only .npy file in a .npy.zip archive, without trusting the archive.

Course platforms serve large arrays this way. A zip declares its uncompressed size, which may be
wrong in either direction, and deflate can expand a file a thousandfold.
"""

import lzma
import mmap
import struct
import zipfile
import zlib
from pathlib import Path

from framesweep.errors import DataError

MAX_ZIP_RATIO = 200
"""Largest accepted ratio of uncompressed to compressed size. Features compress less than 2
times and int64 labels about 40 times; a deflate bomb reaches 1000."""
SMALL_ZIP = 2**26
"""Uncompressed size in bytes up to which any ratio is accepted: such a bomb does no harm."""
_CHUNK = 2**20
# zipfile raises whatever its decompressors raise, and RuntimeError for encrypted files.
ZIP_ERRORS = (
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error),
    *(OSError, EOFError, RuntimeError, ValueError),
)


def unzip_npy(path: Path) -> memoryview:
    """Return the content of the only file in an archive, decompressed into anonymous memory.

    The declared size is checked first, and never exceeded: assigning beyond the mapping raises
    ValueError. The system commits a page only when it is written, so an archive that declares
    more than it contains does not cost that memory either.

    Raises:
        DataError: the archive is damaged or encrypted, contains anything but one .npy file, or
            declares so large a size that it must be a bomb.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            member = _only_member(archive, path)
            return _extract(archive, member, path, path.stat().st_size)
    except ZIP_ERRORS as error:
        raise DataError(path, f"must be a readable zip archive ({error})") from None


def read_zipped(path: zipfile.Path) -> memoryview:
    """Return the content of a file in an archive of many, as `unzip_npy` does.

    Raises:
        DataError: the file is missing, damaged or encrypted, or must be a bomb.
    """
    try:
        member = path.root.getinfo(path.at)
        return _extract(path.root, member, path, member.compress_size)
    except KeyError:
        raise DataError(path, "must be a file") from None
    except ZIP_ERRORS as error:
        raise DataError(path, f"must be a readable file of a zip archive ({error})") from None


def _extract(
    archive: zipfile.ZipFile, member: zipfile.ZipInfo, where: object, compressed: int
) -> memoryview:
    _validate_expansion(member.file_size, compressed, where)
    # An empty mapping is not allowed.
    content = mmap.mmap(-1, max(member.file_size, 1))
    position = 0
    with archive.open(member) as file:
        # archive.read() would hold a second copy of the content.
        while chunk := file.read(_CHUNK):
            content[position : position + len(chunk)] = chunk
            position += len(chunk)
    if position != member.file_size:
        raise zipfile.BadZipFile(f"{position} bytes instead of {member.file_size}")
    return memoryview(content).toreadonly()[:position]


def _only_member(archive: zipfile.ZipFile, path: Path) -> zipfile.ZipInfo:
    members = [
        member
        for member in archive.infolist()
        # macOS adds a __MACOSX folder with metadata to every archive it makes.
        if not member.filename.endswith("/") and not member.filename.startswith("__MACOSX/")
    ]
    if len(members) != 1 or not members[0].filename.endswith(".npy"):
        names = [member.filename[:40] for member in members[:3]]
        raise DataError(path, "must contain exactly one .npy file", found=names)
    return members[0]


def _validate_expansion(size: int, compressed: int, where: object) -> None:
    """Raise DataError if an archive declares so large a `size` that it must be a zip bomb."""
    if size > max(SMALL_ZIP, MAX_ZIP_RATIO * compressed):
        raise DataError(
            where,
            f"must expand to at most {MAX_ZIP_RATIO} times its {compressed} bytes",
            found=size,
            fix="Unzip it yourself if you trust it.",
        )
