"""Reads untrusted .npy files, plain or as the only file in a .npy.zip archive.

The format is numpy's NEP 1, also documented in `numpy.lib.format`: a magic string, the version,
the length of the header, the header, and the data. The header is the text of a Python
dictionary. numpy evaluates it with `ast.literal_eval`, which hostile text can drive out of
memory or stack, as its documentation warns; here regular expressions extract the three fields
that matter. Object arrays contain a pickle, which `pickled_arrays` reads without running it.
"""

import mmap
import re
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from framesweep.data.corpus import Array
from framesweep.data.formats.array_buffers import parse_dtype, to_native, view_array
from framesweep.data.formats.npy_zip import read_zipped, unzip_npy
from framesweep.data.formats.pickled_arrays import load_object_array
from framesweep.errors import DataError

MAGIC = b"\x93NUMPY"
MAX_HEADER = 10_000
"""Largest header in bytes; numpy's own limit."""

_DESCR = re.compile(r"""['"]descr['"]\s*:\s*['"]([^'"]*)['"]""")
_ORDER = re.compile(r"""['"]fortran_order['"]\s*:\s*(True|False)""")
# Python 2 wrote long integers with an L. Each repeated part must end in a comma, so that the
# expression cannot match a text in two ways and never backtracks exponentially.
_SHAPE = re.compile(
    r"""['"]shape['"]\s*:\s*\(((?:\s*[0-9]{1,18}L?\s*,)*(?:\s*[0-9]{1,18}L?)?)\s*\)"""
)


@dataclass(frozen=True, slots=True)
class Header:
    """The header of an .npy file.

    Attributes:
        dtype, shape, fortran_order: of the array that follows.
        size: bytes from the start of the file to the data.
    """

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    fortran_order: bool
    size: int


def find_npy(folder: Path | zipfile.Path, name: str) -> Path | zipfile.Path | None:
    """Return the path of `name`.npy in `folder`, else that of `name`.npy.zip, else None."""
    if isinstance(folder, zipfile.Path):
        inside = folder / f"{name}.npy"
        return inside if inside.is_file() else None
    # The plain file first: it is memory-mapped, while an archive must be decompressed.
    for path in (folder / f"{name}.npy", folder / f"{name}.npy.zip"):
        if path.is_file():
            return path
    return None


def load_npy(path: Path | zipfile.Path) -> Array:
    """Return the array in an .npy or .npy.zip file, or in an .npy file within a zip file.

    Returns:
        A plain array in native byte order, memory-mapped if the file stores it that way; or an
        object array as returned by `load_object_array`.

    Raises:
        UnsafeFileError: the file contains a pickle that could run code.
        DataError: the file is unreadable, damaged, or not an .npy file.
    """
    return parse_npy(open_npy(path), path)


def parse_npy(data: memoryview, where: object) -> Array:
    """Return the array in the content of an .npy file, as `load_npy` does."""
    header = read_header(data, where)
    content = data[header.size :]
    if not header.dtype.hasobject:
        array = view_array(
            content,
            header.dtype,
            header.shape,
            fortran_order=header.fortran_order,
            where=where,
        )
        return to_native(array)
    array = load_object_array(content, where)
    # The pickle has a shape of its own; a caller may already have trusted the header's.
    if array.shape != header.shape or not array.dtype.hasobject:
        raise DataError(
            where,
            f"must contain objects of shape {header.shape}, as its header declares",
            found=f"{array.dtype} {array.shape}",
        )
    return array


def open_npy(path: Path | zipfile.Path) -> memoryview:
    """Return the content of an .npy file, memory-mapped, or of one inside a zip file.

    Raises:
        DataError: the file is missing, empty or unreadable, or the archive is damaged, contains
            anything but one .npy file, or would expand too much.
    """
    if isinstance(path, zipfile.Path):
        return read_zipped(path)
    if not path.is_file():
        raise DataError(path, "must be a file")
    if path.suffix == ".zip":
        return unzip_npy(path)
    try:
        with path.open("rb") as file:
            return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    except ValueError:  # an empty file cannot be mapped
        raise DataError(path, "must not be empty") from None
    except OSError as error:
        raise DataError(path, f"must be readable ({error.strerror})") from None


def read_header(data: memoryview, where: object) -> Header:
    """Return the header at the start of an .npy file.

    Raises:
        DataError: the header is missing, too long, or lacks a field.
    """
    major = data[6] if len(data) > 8 else 0
    if bytes(data[:6]) != MAGIC or major not in (1, 2, 3):
        raise DataError(where, "must be an .npy file", found=bytes(data[:8]))
    # Version 1 stores the header's length in 2 bytes, versions 2 and 3 in 4.
    start = 10 if major == 1 else 12
    length = int.from_bytes(data[8:start], "little")
    if length > MAX_HEADER or start + length > len(data):
        raise DataError(
            where,
            f"the header must have at most {MAX_HEADER} bytes and end within the file",
            found=length,
        )
    # Version 3 is UTF-8, but only for the names of structured dtypes, which are refused anyway.
    text = str(data[start : start + length], "latin-1")
    descr, order, shape = (pattern.search(text) for pattern in (_DESCR, _ORDER, _SHAPE))
    if descr is None or order is None or shape is None:
        raise DataError(
            where, "the header must contain descr, fortran_order and shape", found=text[:80]
        )
    return Header(
        dtype=parse_dtype(descr[1], where),
        shape=tuple(int(size) for size in re.findall(r"[0-9]+", shape[1])),
        fortran_order=order[1] == "True",
        size=start + length,
    )
