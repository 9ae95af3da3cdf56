"""Bytes become arrays only where they fill the declared shape."""

import numpy as np
import pytest

from framesweep.data.formats.array_buffers import (
    MAX_RANK,
    parse_dtype,
    to_native,
    validate_shape,
    view_array,
)
from framesweep.errors import DataError


def view(data, spec, shape, fortran_order=False):
    dtype = np.dtype(spec)
    return view_array(
        memoryview(data), dtype, shape, fortran_order=fortran_order, where="file.npy"
    )


@pytest.mark.parametrize("name", ["?", "b1", "|u1", "<i8", ">f2", "=f8", "f4", "<U12", "S3"])
def test_plain_dtype_is_parsed_as_numpy_does(name):
    assert parse_dtype(name, "file.npy") == np.dtype(name)


@pytest.mark.parametrize("name", ["O", "|O", "O4", "O8"])
def test_every_spelling_of_object_is_parsed(name):
    assert parse_dtype(name, "file.npy") == np.dtype(object)


@pytest.mark.parametrize(
    "name", ["", "f3", "c8", "V4", "M8[ns]", "f4,O", "<U0", "U1000000", "f4 ", "__import__"]
)
def test_other_dtype_is_refused(name):
    with pytest.raises(DataError, match=r"file\.npy: arrays must contain floats, integers"):
        parse_dtype(name, "file.npy")


def test_array_is_a_read_only_view():
    data = np.arange(6, dtype="<i2").tobytes()
    array = view(data, "<i2", (2, 3))
    assert array.tolist() == [[0, 1, 2], [3, 4, 5]]
    assert not array.flags.owndata
    assert not array.flags.writeable
    assert view(data, "<i2", (2, 3), fortran_order=True).tolist() == [[0, 2, 4], [1, 3, 5]]


@pytest.mark.parametrize("size", [0, 11, 13])
def test_number_of_bytes_must_match_the_shape(size):
    with pytest.raises(DataError, match=rf"must match the array's shape; found '{size} for"):
        view(bytes(size), "<i2", (2, 3))


def test_objects_cannot_be_made_of_bytes():
    with pytest.raises(DataError, match="object arrays must not be stored as raw bytes"):
        view(bytes(8), "O", (1,))


@pytest.mark.parametrize("order", ["<", ">"])
def test_string_beyond_unicode_is_refused(order):
    data = np.array([0x110000], dtype=f"{order}u4").tobytes()
    with pytest.raises(DataError, match="Unicode characters only; found '0x110000'"):
        view(data, f"{order}U1", (1,))


@pytest.mark.parametrize(
    "shape", [(-1,), (1.0,), (True,), ("1",), (2**62 + 1,), (1,) * (MAX_RANK + 1)]
)
def test_invalid_shape_is_refused(shape):
    with pytest.raises(DataError, match="shape must be at most 64 non-negative integers"):
        validate_shape(shape, "file.npy")


def test_shape_that_numpy_cannot_hold_is_refused():
    with pytest.raises(DataError, match="a shape that numpy supports"):
        view(b"", "<f8", (0, 2**40, 2**40))


def test_native_array_is_not_copied():
    array = np.arange(3, dtype="=f4")
    assert np.shares_memory(to_native(array), array)


def test_foreign_array_is_copied_to_native_layout():
    unaligned = np.frombuffer(b"\0" + np.arange(3, dtype=">f4").tobytes(), ">f4", offset=1)
    native = to_native(unaligned)
    assert native.dtype.isnative
    assert native.flags.aligned
    assert native.tolist() == [0, 1, 2]
    assert not np.shares_memory(native, unaligned)
    assert to_native(np.asfortranarray(np.ones((2, 3)))).flags.c_contiguous
