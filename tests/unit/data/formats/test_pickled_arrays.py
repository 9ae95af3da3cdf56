"""Arrays come back as they were saved; damaged pickles and bombs are refused."""

import contextlib
import pickle
import struct
import tracemalloc
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from framesweep.data.formats.pickled_arrays import MAX_EXPANSION
from framesweep.errors import DataError, UnsafeFileError
from pickle_opcodes import (
    ENCODE,
    FLOATS,
    NEW_ARRAY,
    array,
    call,
    dtype,
    list_of,
    load,
    name,
    number,
    objects,
    raw_bytes,
    text,
    tuple_of,
    whole,
)


def object_array(items: list[Any]) -> np.ndarray[Any, Any]:
    array = np.empty(len(items), dtype=object)
    array[:] = items
    return array


@pytest.mark.parametrize(
    "pickled",
    [
        # Eight bytes that numpy would take for a pointer.
        array(tuple_of(number(1)), dtype("O8", b"|"), raw_bytes(b"\x41" * 8)),
        array(tuple_of(number(2**30), number(2**30)), dtype("f4"), raw_bytes(bytes(4))),
        array(
            tuple_of(number(0), number(2**30), number(2**30), number(2**30)),
            dtype("f8"),
            raw_bytes(b""),
        ),
        array(tuple_of(number(-1)), dtype("f4"), raw_bytes(bytes(4))),
        array(tuple_of(*[number(1)] * 99), dtype("f4"), raw_bytes(bytes(4))),
        array(
            tuple_of(pickle.BINFLOAT + struct.pack(">d", 1.0)), dtype("f4"), raw_bytes(bytes(4))
        ),
        array(tuple_of(pickle.EMPTY_LIST, number(2**30)), dtype("f4"), raw_bytes(bytes(4))),
        array(tuple_of(number(2)), dtype("O8", b"|"), list_of(number(1))),
        array(tuple_of(pickle.NONE), dtype("O8", b"|"), list_of(number(1))),
        array(tuple_of(number(1)), dtype("V4"), raw_bytes(bytes(4))),
        array(tuple_of(number(1)), dtype("U0"), raw_bytes(b"")),
        array(tuple_of(number(1)), dtype("M8[ns]"), raw_bytes(bytes(8))),
        array(tuple_of(number(1)), dtype("f4,O"), raw_bytes(bytes(12))),
        call(ENCODE, text("\u0100"), text("latin1")),
        call(name("numpy._core.multiarray", "scalar"), dtype("O8"), raw_bytes(bytes(8))),
        call(name("numpy._core.multiarray", "scalar"), dtype("U1"), raw_bytes(b"\0\0\x11\0")),
        array(tuple_of(number(1)), dtype("U1", b">"), raw_bytes(b"\0\x11\0\0")),
        pickle.BINBYTES8 + struct.pack("<Q", 2**62),
        pickle.BINUNICODE8 + struct.pack("<Q", 2**62),
        pickle.SHORT_BINUNICODE + b"\x01\xff",
        pickle.LONG_BINGET + b"\xff\xff\xff\xff",
        pickle.TUPLE,
        pickle.TUPLE3,
        pickle.REDUCE,
        pickle.GLOBAL + b"n" * 1000,
        FLOATS + pickle.STOP,
        b"",
    ],
)
def test_damaged_pickle_is_refused(pickled: bytes) -> None:
    with pytest.raises(DataError) as raised:
        load(whole(pickled))
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("end", range(0, 180, 7))
def test_truncated_pickle_is_refused(end: int) -> None:
    pickled = pickle.dumps(object_array([np.arange(3.0), np.arange(2)]), protocol=4)
    assert end < len(pickled)
    with pytest.raises(DataError):
        load(pickled[:end])


def bomb(kind: str) -> bytes:
    """A pickle that refers to its own items until they would fill gigabytes."""
    memo = pickle.BINPUT + b"\x01"
    again = pickle.BINGET + b"\x01"
    if kind == "encoded text":
        latin = pickle.BINPUT + b"\x02"
        arguments = again + pickle.BINGET + b"\x02" + pickle.TUPLE2
        once = ENCODE + arguments + pickle.REDUCE
        return text("x" * 500_000) + memo + text("latin1") + latin + once * 10_000
    if kind == "one array in many places":
        big = array(tuple_of(number(500_000)), dtype("u1", b"|"), raw_bytes(bytes(500_000)))
        return objects(big + memo, *[again] * 10_000)
    if kind == "one list in many arrays":
        items = list_of(*[pickle.NONE] * 10_000) + memo
        many = array(tuple_of(number(10_000)), dtype("O8", b"|"), again)
        return items + many * 100
    if kind == "tuples doubling":
        double = pickle.BINGET + b"\x01" + again + pickle.TUPLE2 + memo
        return number(1) + memo + double * 100 + pickle.EMPTY_TUPLE + pickle.STACK_GLOBAL
    raise AssertionError(kind)


@pytest.mark.parametrize(
    "kind",
    ["encoded text", "one array in many places", "one list in many arrays", "tuples doubling"],
)
def test_bomb_is_refused_within_the_memory_limit(kind: str) -> None:
    pickled = whole(bomb(kind))
    tracemalloc.start()
    try:
        with pytest.raises(DataError):
            load(pickled)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 1.5 * MAX_EXPANSION * len(pickled) + 1_000_000


def test_deep_nesting_is_refused_without_a_crash() -> None:
    depth = 20_000
    nested = objects(b"@").split(b"@")
    with pytest.raises(DataError, match="nest"):
        load(whole(nested[0] * depth + pickle.NONE + nested[1] * depth))
    tuples = number(1) + pickle.TUPLE1 * depth
    with pytest.raises(UnsafeFileError, match="not text"):
        load(whole(tuples + text("x") + pickle.STACK_GLOBAL))
    with pytest.raises(UnsafeFileError):
        load(whole(dtype("f4") + tuples + pickle.BUILD))


def test_array_that_contains_itself_is_refused() -> None:
    memo, again = pickle.BINPUT + b"\x01", pickle.BINGET + b"\x01"
    state = tuple_of(
        number(1), tuple_of(number(1)), dtype("O8", b"|"), pickle.NEWFALSE, list_of(again)
    )
    with pytest.raises(UnsafeFileError):
        load(whole(NEW_ARRAY + memo + state + pickle.BUILD))


def test_array_that_occurs_twice_is_returned_twice() -> None:
    twice = np.arange(4.0)
    loaded = load(pickle.dumps(object_array([twice, twice]), protocol=4))
    np.testing.assert_array_equal(loaded[0], twice)
    np.testing.assert_array_equal(loaded[1], twice)


def test_numbers_and_nested_arrays_are_unchanged() -> None:
    items = [1, -70_000, 2**62, -1, 0.25, None, "AA", object_array([1.5, 2])]
    loaded = load(pickle.dumps(object_array(items), protocol=3))
    assert loaded[:7].tolist() == items[:7]
    assert loaded[7].tolist() == [1.5, 2]


def test_object_array_of_rank_two_keeps_its_element_order() -> None:
    given_array = np.asfortranarray(np.array([[1, 2, 3], [4, 5, 6]], dtype=object))
    loaded = load(pickle.dumps(given_array, protocol=2))
    assert loaded.tolist() == [[1, 2, 3], [4, 5, 6]]


PLAIN = st.one_of(
    hnp.floating_dtypes(sizes=(16, 32, 64)),
    hnp.integer_dtypes(),
    hnp.unsigned_integer_dtypes(),
    hnp.boolean_dtypes(),
    hnp.unicode_string_dtypes(min_len=1, max_len=5),
    hnp.byte_string_dtypes(min_len=1, max_len=5),
)


@st.composite
def utterances(draw: st.DrawFn) -> list[np.ndarray[Any, Any]]:
    shapes = hnp.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=4)
    arrays = draw(st.lists(hnp.arrays(PLAIN, shapes), max_size=4))
    return [np.asfortranarray(a) if draw(st.booleans()) else a for a in arrays]


@given(items=utterances(), protocol=st.sampled_from([2, 3, 4]))
def test_arrays_are_unchanged_up_to_byte_order(
    items: list[np.ndarray[Any, Any]], protocol: int
) -> None:
    loaded = load(pickle.dumps(object_array(items), protocol=protocol))
    assert loaded.shape == (len(items),)
    for there, back in zip(items, loaded, strict=True):
        assert back.dtype == there.dtype.newbyteorder("=")
        np.testing.assert_array_equal(back, there)


@given(
    position=st.integers(0, 400), value=st.integers(0, 255), protocol=st.sampled_from([2, 4])
)
def test_any_changed_byte_results_in_an_array_or_a_data_error(
    position: int, value: int, protocol: int
) -> None:
    pickled = bytearray(
        pickle.dumps(object_array([np.arange(3.0), np.array(["AA"])]), protocol=protocol)
    )
    pickled[position % len(pickled)] = value
    with contextlib.suppress(DataError):
        assert isinstance(load(bytes(pickled)), np.ndarray)
