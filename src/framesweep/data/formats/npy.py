"""Reads .npy files without trusting them: plain, or alone in a .npy.zip.

The format is numpy's NEP 1: magic, version, the header's length, and as header the text of a
Python dictionary, which is matched here and never evaluated.
"""

import lzma
import mmap
import re
import struct
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from framesweep.data.corpus import Array
from framesweep.data.formats.array_buffers import native, plain_dtype, view
from framesweep.data.formats.pickled_arrays import load_object_array
from framesweep.errors import DataError

MAGIC = b"\x93NUMPY"
MAX_HEADER = 10_000
"""Bytes of a header; numpy's own limit too."""
MAX_ZIP_RATIO = 200
"""Unpacked size over packed size that is still believed of a large file."""
SMALL_ZIP = 2**26
"""Unpacked bytes up to which no ratio is asked."""
_CHUNK = 2**20
_ZIP_ERRORS = (
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error),
    *(OSError, EOFError, RuntimeError, ValueError),
)

_DESCR = re.compile(r"""['"]descr['"]\s*:\s*['"]([^'"]*)['"]""")
_ORDER = re.compile(r"""['"]fortran_order['"]\s*:\s*(True|False)""")
# Python 2 wrote its long integers with an L. What may repeat is kept unambiguous, so that no
# text takes long to refuse.
_SHAPE = re.compile(
    r"""['"]shape['"]\s*:\s*\(((?:\s*[0-9]{1,18}L?\s*,)*(?:\s*[0-9]{1,18}L?)?)\s*\)"""
)


@dataclass(frozen=True, slots=True)
class Header:
    """What stands before an array's data, and `size`, the bytes it takes."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    fortran_order: bool
    size: int


def find_npy(folder: Path, name: str) -> Path | None:
    """`name`.npy in `folder`, else `name`.npy.zip, else None."""
    for path in (folder / f"{name}.npy", folder / f"{name}.npy.zip"):
        if path.is_file():
            return path
    return None


def load_npy(path: Path) -> Array:
    """The array in an .npy or .npy.zip file.

    Returns:
        A plain array in the processor's byte order, mapped where the file has it so; or an
        array of objects as `load_object_array` gives it.

    Raises:
        UnsafeFileError: the file asks to run code.
        DataError: it cannot be read, is damaged, or is no .npy file.
    """
    return parse_npy(open_npy(path), path)


def parse_npy(data: memoryview, where: object) -> Array:
    """The array in the bytes of an .npy file, as `load_npy` gives it."""
    header = read_header(data, where)
    content = data[header.size :]
    if not header.dtype.hasobject:
        order = header.fortran_order
        return native(
            view(content, header.dtype, header.shape, fortran_order=order, where=where)
        )
    array = load_object_array(content, where)
    if array.shape != header.shape or not array.dtype.hasobject:
        raise DataError(
            where,
            f"must hold objects of shape {header.shape}, as its header says",
            found=f"{array.dtype} {array.shape}",
        )
    return array


def open_npy(path: Path) -> memoryview:
    """The bytes of an .npy file, mapped; or of the only file in a .npy.zip, unpacked."""
    if not path.is_file():
        raise DataError(path, "must be a file")
    if path.suffix == ".zip":
        return _unpack(path)
    try:
        with path.open("rb") as file:
            return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    except ValueError:
        raise DataError(path, "must not be empty") from None
    except OSError as error:
        raise DataError(path, f"must be readable ({error.strerror})") from None


def read_header(data: memoryview, where: object) -> Header:
    """The header at the start of an .npy file; raises DataError where there is none."""
    major = data[6] if len(data) > 8 else 0
    if bytes(data[:6]) != MAGIC or major not in (1, 2, 3):
        raise DataError(where, "must be an .npy file", found=bytes(data[:8]))
    start = 10 if major == 1 else 12
    length = int.from_bytes(data[8:start], "little")
    if length > MAX_HEADER or start + length > len(data):
        raise DataError(
            where, f"header must be within the file and {MAX_HEADER} bytes", found=length
        )
    text = str(data[start : start + length], "latin-1")
    descr, order, shape = (pattern.search(text) for pattern in (_DESCR, _ORDER, _SHAPE))
    if descr is None or order is None or shape is None:
        raise DataError(
            where, "header must tell descr, fortran_order and shape", found=text[:80]
        )
    return Header(
        dtype=plain_dtype(descr[1], where),
        shape=tuple(int(size) for size in re.findall(r"[0-9]+", shape[1])),
        fortran_order=order[1] == "True",
        size=start + length,
    )


def _unpack(path: Path) -> memoryview:
    try:
        with zipfile.ZipFile(path) as archive:
            member = _only_member(archive, path)
            _check_size(member.file_size, path)
            # Anonymous memory is only taken as it is filled, whatever size is declared.
            unpacked = mmap.mmap(-1, max(member.file_size, 1))
            at = 0
            with archive.open(member) as file:
                while chunk := file.read(_CHUNK):
                    unpacked[at : at + len(chunk)] = chunk
                    at += len(chunk)
            if at != member.file_size:
                raise zipfile.BadZipFile(f"{at} bytes where it lists {member.file_size}")
            return memoryview(unpacked).toreadonly()[:at]
    except _ZIP_ERRORS as error:
        raise DataError(path, f"must be a readable zip ({error})") from None


def _only_member(archive: zipfile.ZipFile, path: Path) -> zipfile.ZipInfo:
    members = [
        member
        for member in archive.infolist()
        if not member.filename.endswith("/") and not member.filename.startswith("__MACOSX/")
    ]
    if len(members) != 1 or not members[0].filename.endswith(".npy"):
        names = [member.filename[:40] for member in members[:3]]
        raise DataError(path, "must hold one .npy file", found=names)
    return members[0]


def _check_size(unpacked: int, path: Path) -> None:
    packed = path.stat().st_size
    if unpacked > max(SMALL_ZIP, MAX_ZIP_RATIO * packed):
        raise DataError(
            path,
            f"must unpack to at most {MAX_ZIP_RATIO} times its {packed} bytes",
            found=unpacked,
            fix="Unpack it yourself if you trust it.",
        )
