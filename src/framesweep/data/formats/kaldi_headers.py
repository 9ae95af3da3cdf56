"""Reads the headers of Kaldi's binary matrices and vectors, which declare their sizes.

A header of a damaged archive may declare billions of values. Whoever compares the size with
that of the file first neither allocates memory for them nor reports a lack of memory.
"""

import struct
from typing import BinaryIO

MARK = b"\0B"
"""What binary data starts with; without it the data is text, such as `[ 1 2 3 ]` or `1 2 3`."""

COMPRESSED = (b"CM ", b"CM2", b"CM3")
"""The kinds of matrices with one or two bytes per value."""

MATRICES = (b"FM ", b"DM ", *COMPRESSED)
"""The kinds of all matrices."""

INTEGERS = b"\4"
"""The kind of a vector of int32: the number of bytes of the integer that follows."""


def read_extent(file: BinaryIO) -> tuple[bytes, int | None]:
    """Return the kind of an array, and the byte at which it ends; None for an unknown kind.

    Args:
        file: positioned behind the mark.

    Raises:
        struct.error: the header is truncated.
        ValueError: a dimension is negative.
    """
    kind, start, columns = file.read(3), file.tell(), 1
    per_value, per_column = (8 if kind[:1] == b"D" else 4), 0
    if kind[:1] == INTEGERS:
        kind, per_value = INTEGERS, 5
        file.seek(start - 2)
        (rows,) = struct.unpack("<i", file.read(4))
    elif kind in (b"FV ", b"DV "):
        _, rows = struct.unpack("<bi", file.read(5))
    elif kind in (b"FM ", b"DM "):
        _, rows, _, columns = struct.unpack("<bibi", file.read(10))
    elif kind in COMPRESSED:
        # Each column has a header, or there are only the values.
        per_value, per_column = (2 if kind == b"CM2" else 1), (8 if kind == b"CM " else 0)
        file.seek(start + (kind != b"CM "))
        rows, columns = struct.unpack("<ffii", file.read(16))[2:]
    else:
        return kind, None
    if min(rows, columns) < 0:
        raise ValueError(f"its header declares {rows} x {columns} values")
    return kind, file.tell() + (per_value * rows + per_column) * columns
