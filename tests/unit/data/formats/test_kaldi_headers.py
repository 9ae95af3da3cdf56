"""The sizes of Kaldi's binary arrays, as their headers declare them."""

import struct

import kaldiio
import numpy as np
import pytest

from framesweep.data.formats.kaldi_headers import INTEGERS, MARK, read_extent

MATRIX = np.arange(20, dtype=np.float32).reshape(5, 4) / 19


@pytest.mark.parametrize(
    ("kind", "array", "method"),
    [
        (b"FM ", MATRIX, None),
        (b"DM ", MATRIX.astype(np.float64), None),
        (b"FV ", MATRIX[0], None),
        (b"DV ", MATRIX[0].astype(np.float64), None),
        (INTEGERS, np.arange(3, dtype=np.int32), None),
        (b"CM ", MATRIX, 2),
        (b"CM2", MATRIX, 3),
        (b"CM3", MATRIX, 5),
    ],
)
def test_an_array_ends_where_its_header_says(tmp_path, kind, array, method):
    path = tmp_path / "a.ark"
    kaldiio.save_ark(str(path), {"one": array}, compression_method=method)
    with path.open("rb") as file:
        assert file.read(6) == b"one " + MARK
        assert read_extent(file) == (kind, path.stat().st_size)


def test_an_unknown_kind_has_no_end(tmp_path):
    (tmp_path / "a").write_bytes(b"XX \4\1\0\0\0")
    with (tmp_path / "a").open("rb") as file:
        assert read_extent(file) == (b"XX ", None)


@pytest.mark.parametrize(
    ("header", "error"),
    [
        (b"FM \4\1\0\0\0\4", struct.error),
        (b"\4\1", struct.error),
        (b"FV \4" + struct.pack("<i", -1), ValueError),
        (b"CM " + struct.pack("<ffii", 0, 1, 2, -1), ValueError),
    ],
)
def test_a_damaged_header_is_refused(tmp_path, header, error):
    (tmp_path / "a").write_bytes(header)
    with (tmp_path / "a").open("rb") as file, pytest.raises(error):
        read_extent(file)
