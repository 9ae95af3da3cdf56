"""The machine runs known opcodes as the standard unpickler does, and refuses all others."""

import pickle
import struct
import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from framesweep.data.formats import pickle_machine
from framesweep.data.formats.pickle_machine import PickleMachine
from framesweep.errors import DataError, UnsafeFileError
from pickle_opcodes import call, list_of, name, number, stack_name, text, tuple_of, whole


class RecordingMachine(PickleMachine):
    """Keeps names, calls and states as tuples instead of giving them a meaning."""

    def resolve_name(self, module: str, name: str) -> object:
        return ("name", module, name)

    def reduce(self, function: Any, arguments: Any) -> object:
        return ["call", function, arguments]

    def build(self, target: Any, state: Any) -> None:
        target.append(state)


def run(pickled: bytes) -> Any:
    return RecordingMachine(memoryview(pickled), "file.npy").run()


def as_values(item: Any) -> Any:
    """`item` with views of bytes as bytes."""
    if isinstance(item, memoryview):
        return bytes(item)
    if isinstance(item, tuple | list):
        return type(item)(map(as_values, item))
    return item


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**100), 2**100)
    | st.floats(allow_nan=False)
    | st.text(max_size=300)
    | st.binary(max_size=300),
    lambda values: st.lists(values, max_size=5) | st.lists(values, max_size=5).map(tuple),
    max_leaves=20,
)


@given(value=VALUES, protocol=st.sampled_from([3, 4, 5]))
def test_plain_values_equal_those_of_the_standard_unpickler(value: Any, protocol: int) -> None:
    assert as_values(run(pickle.dumps(value, protocol=protocol))) == value


def test_one_object_in_two_places_is_one_object() -> None:
    shared = [1]
    first, second = run(pickle.dumps((shared, shared), protocol=4))
    assert first is second


@pytest.mark.parametrize("spell", [name, stack_name])
def test_names_calls_and_states_are_left_to_the_subclass(spell: Any) -> None:
    pickled = whole(call(spell("os", "system"), text("id")) + number(7) + pickle.BUILD)
    assert run(pickled) == ["call", ("name", "os", "system"), ("id",), 7]


def test_bytes_are_views_on_the_file() -> None:
    content = whole(pickle.SHORT_BINBYTES + b"\x03abc")
    assert run(content).obj is content


@pytest.mark.parametrize(
    ("body", "opcode"),
    [
        (pickle.EXT1 + b"\x01", "EXT1"),
        (pickle.EXT4 + b"\x01\0\0\0", "EXT4"),
        (pickle.PERSID + b"id\n", "PERSID"),
        (text("id") + pickle.BINPERSID, "BINPERSID"),
        (name("a", "b") + pickle.EMPTY_TUPLE + pickle.NEWOBJ, "NEWOBJ"),
        (name("a", "b") + pickle.EMPTY_TUPLE + pickle.EMPTY_DICT, "EMPTY_DICT"),
        (name("a", "b") + pickle.EMPTY_TUPLE + pickle.NEWOBJ_EX, "NEWOBJ_EX"),
        (pickle.NEXT_BUFFER, "NEXT_BUFFER"),
        (pickle.BYTEARRAY8 + bytes(8), "BYTEARRAY8"),
        (pickle.INT + b"9" * 5000 + b"\n", "INT"),
        (pickle.LONG4 + b"\xff\xff\xff\x7f", "LONG4"),
        (pickle.EMPTY_SET, "EMPTY_SET"),
        (number(1) + pickle.DUP, "DUP"),
        (b"\xff", "0xff"),
    ],
)
def test_opcode_that_arrays_do_not_need_is_refused(body: bytes, opcode: str) -> None:
    with pytest.raises(UnsafeFileError, match=f"opcode {opcode}'"):
        run(whole(body))


@pytest.mark.parametrize(
    "body",
    [
        tuple_of(number(1)) + number(1) + pickle.APPEND,
        text("a") + pickle.MARK + number(1) + pickle.APPENDS,
        name("a", "b") + number(1) + pickle.APPEND,
    ],
)
def test_only_lists_are_extended(body: bytes) -> None:
    with pytest.raises(UnsafeFileError, match="items for"):
        run(whole(body))


@pytest.mark.parametrize("body", [number(1) + text("x"), text("x") + list_of()])
def test_name_that_is_not_text_is_refused(body: bytes) -> None:
    with pytest.raises(UnsafeFileError, match="a name that is not text"):
        run(whole(body + pickle.STACK_GLOBAL))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        pickle.TUPLE,
        number(1) + pickle.TUPLE2,
        pickle.TUPLE3,
        pickle.REDUCE,
        number(1) + pickle.BUILD,
        pickle.APPENDS,
        pickle.MEMOIZE,
        pickle.BINGET + b"\x05",
        pickle.LONG_BINGET + b"\xff\xff\xff\xff",
        pickle.SHORT_BINUNICODE + b"\x01\xff",
        pickle.GLOBAL + b"n" * 1000,
        pickle.GLOBAL + b"\xff\n\xff\n",
        pickle.BINFLOAT + b"1234",
        number(1) + pickle.STOP,
    ],
)
def test_damaged_pickle_is_refused_in_one_line(body: bytes) -> None:
    with pytest.raises(DataError, match="must contain one complete pickle") as raised:
        run(whole(body))
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    "body",
    [
        pickle.BINBYTES8 + struct.pack("<Q", 2**62),
        pickle.BINUNICODE8 + struct.pack("<Q", 2**62),
        pickle.BINBYTES + struct.pack("<I", 2**32 - 1),
        pickle.NONE + pickle.LONG_BINPUT + struct.pack("<I", 2**31 - 1) + pickle.REDUCE,
    ],
)
def test_declared_sizes_take_no_memory(body: bytes) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(DataError):
            run(whole(body))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 1_000_000


def test_deeply_nested_tuples_do_not_crash() -> None:
    nested = number(1) + pickle.TUPLE1 * 20_000
    with pytest.raises(UnsafeFileError, match="not text"):
        run(whole(nested + text("x") + pickle.STACK_GLOBAL))


def test_endless_pickle_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    assert pickle_machine.MAX_STEPS > 1000
    monkeypatch.setattr(pickle_machine, "MAX_STEPS", 1000)
    with pytest.raises(DataError, match="at most 1000 pickle opcodes"):
        run(pickle.NONE * 2000)
