"""Arrays come back as they were; hostile pickles of every shape are refused and run nothing.

Hostile pickles are written opcode by opcode. Those that work on the standard unpickler are
shown to: each makes a folder there, and none here.
"""

import contextlib
import copyreg
import os
import pickle
import struct
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from framesweep.data.formats.pickle_machine import MAX_STEPS
from framesweep.data.formats.pickled_arrays import MAX_EXPANSION, load_object_array
from framesweep.errors import DataError, UnsafeFileError

EXTENSION_CODE = 0x70AB


def load(pickled: bytes) -> np.ndarray[Any, Any]:
    return load_object_array(memoryview(pickled), "file.npy")


def object_array(items: list[Any]) -> np.ndarray[Any, Any]:
    array = np.empty(len(items), dtype=object)
    array[:] = items
    return array


# Opcodes by hand.
def text(value: str) -> bytes:
    raw = value.encode()
    return pickle.BINUNICODE + struct.pack("<I", len(raw)) + raw


def raw_bytes(value: bytes) -> bytes:
    return pickle.BINBYTES + struct.pack("<I", len(value)) + value


def number(value: int) -> bytes:
    return pickle.BININT + struct.pack("<i", value)


def name(module: str, attribute: str) -> bytes:
    return pickle.GLOBAL + f"{module}\n{attribute}\n".encode()


def stack_name(module: str, attribute: str) -> bytes:
    return text(module) + text(attribute) + pickle.STACK_GLOBAL


def tuple_of(*items: bytes) -> bytes:
    return pickle.MARK + b"".join(items) + pickle.TUPLE


def list_of(*items: bytes) -> bytes:
    return pickle.EMPTY_LIST + pickle.MARK + b"".join(items) + pickle.APPENDS


def call(function: bytes, *arguments: bytes) -> bytes:
    return function + tuple_of(*arguments) + pickle.REDUCE


def whole(body: bytes, protocol: int = 4) -> bytes:
    return pickle.PROTO + bytes([protocol]) + body + pickle.STOP


NDARRAY = name("numpy", "ndarray")
NEW_ARRAY = call(
    name("numpy._core.multiarray", "_reconstruct"),
    NDARRAY,
    tuple_of(number(0)),
    raw_bytes(b"b"),
)


def dtype(spec: str, order: bytes = b"<") -> bytes:
    made = call(name("numpy", "dtype"), text(spec), pickle.NEWFALSE, pickle.NEWTRUE)
    nothing = [pickle.NONE] * 3
    numbers = [number(-1), number(-1), number(0)]
    return made + tuple_of(number(3), text(order.decode()), *nothing, *numbers) + pickle.BUILD


def array(shape: bytes, kind: bytes, content: bytes) -> bytes:
    return NEW_ARRAY + tuple_of(number(1), shape, kind, pickle.NEWFALSE, content) + pickle.BUILD


def objects(*items: bytes) -> bytes:
    return array(tuple_of(number(len(items))), dtype("O8", b"|"), list_of(*items))


def mkdir_by(function: bytes, folder: Path) -> bytes:
    return call(function, text(str(folder)))


@pytest.fixture
def canary(tmp_path: Path) -> Path:
    return tmp_path / "ran"


@pytest.fixture
def extension() -> Iterator[bytes]:
    """An extension code for os.mkdir, cached as after its first use."""
    copyreg.add_extension("os", "mkdir", EXTENSION_CODE)
    code = pickle.EXT2 + struct.pack("<H", EXTENSION_CODE)
    assert pickle.loads(whole(code)) is os.mkdir
    yield code
    copyreg.remove_extension("os", "mkdir", EXTENSION_CODE)


class Evil:
    def __init__(self, folder: Path) -> None:
        self.folder = str(folder)

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (self.folder,)


def hostile_pickles(folder: Path) -> dict[str, bytes]:
    """Pickles that make `folder` when the standard unpickler reads them."""
    path = text(str(folder))
    mkdir = name("os", "mkdir")
    evil = Evil(folder)
    protocols = {f"reduce, protocol {p}": pickle.dumps(evil, protocol=p) for p in range(6)}
    nested = np.array([np.zeros(2), evil, None], dtype=object)
    return protocols | {
        **{f"nested, protocol {p}": pickle.dumps(nested, protocol=p) for p in range(6)},
        "nested twice": pickle.dumps(object_array([nested])),
        "global": whole(mkdir_by(mkdir, folder)),
        "stack global": whole(mkdir_by(stack_name("os", "mkdir"), folder)),
        "builtins.exec": whole(
            call(name("builtins", "exec"), text(f"import os; os.mkdir({str(folder)!r})"))
        ),
        "builtins.eval": whole(
            call(name("builtins", "eval"), text(f"__import__('os').mkdir({str(folder)!r})"))
        ),
        "python 2 name": whole(
            call(name("__builtin__", "eval"), text(f"__import__('os').mkdir({str(folder)!r})")),
            protocol=2,
        ),
        "dotted name": whole(mkdir_by(stack_name("shutil", "os.mkdir"), folder)),
        "numpy's own runstring": whole(
            call(
                name("numpy.testing._private.utils", "runstring"),
                text(f"import os; os.mkdir({str(folder)!r})"),
                pickle.EMPTY_DICT,
            )
        ),
        "inst": whole(pickle.MARK + path + pickle.INST + b"os\nmkdir\n"),
        "obj": whole(pickle.MARK + mkdir + path + pickle.OBJ),
        "state of an array": whole(
            NEW_ARRAY
            + tuple_of(
                number(1),
                tuple_of(number(1)),
                dtype("O8", b"|"),
                pickle.NEWFALSE,
                list_of(mkdir_by(mkdir, folder)),
            )
            + pickle.BUILD
        ),
        "shape of an array": whole(
            array(tuple_of(mkdir_by(mkdir, folder), number(0)), dtype("f4"), raw_bytes(b""))
        ),
        "spec of a dtype": whole(call(name("numpy", "dtype"), mkdir_by(mkdir, folder))),
        "dropped before the array": whole(
            mkdir_by(mkdir, folder)
            + pickle.POP
            + array(tuple_of(number(0)), dtype("f4"), raw_bytes(b""))
        ),
    }


HOSTILE = sorted(hostile_pickles(Path("unused")))


@pytest.mark.parametrize("shape", HOSTILE)
def test_hostile_pickle_is_refused_and_runs_nothing(shape: str, canary: Path) -> None:
    pickled = hostile_pickles(canary)[shape]
    with pytest.raises(UnsafeFileError, match="must hold numpy arrays only") as raised:
        load(pickled)
    assert not canary.exists()
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("shape", HOSTILE)
def test_the_hostile_pickles_do_run_elsewhere(shape: str, canary: Path) -> None:
    # After the deed some fail: what mkdir returns is no dtype and no size.
    with contextlib.suppress(TypeError, ValueError):
        pickle.loads(hostile_pickles(canary)[shape])
    assert canary.is_dir()


def test_cached_extension_code_is_refused(extension: bytes, canary: Path) -> None:
    with pytest.raises(UnsafeFileError, match="EXT2"):
        load(whole(mkdir_by(extension, canary)))
    assert not canary.exists()
    pickle.loads(whole(mkdir_by(extension, canary)))
    assert canary.is_dir()


@pytest.mark.parametrize(
    ("pickled", "opcode"),
    [
        (pickle.EXT1 + b"\x01", "EXT1"),
        (pickle.EXT4 + b"\x01\0\0\0", "EXT4"),
        (pickle.PERSID + b"id\n", "PERSID"),
        (text("id") + pickle.BINPERSID, "BINPERSID"),
        (NDARRAY + pickle.EMPTY_TUPLE + pickle.NEWOBJ, "NEWOBJ"),
        (NDARRAY + pickle.EMPTY_TUPLE + pickle.EMPTY_DICT + pickle.NEWOBJ_EX, "EMPTY_DICT"),
        (NDARRAY + pickle.EMPTY_TUPLE + pickle.NEWOBJ_EX, "NEWOBJ_EX"),
        (pickle.NEXT_BUFFER, "NEXT_BUFFER"),
        (pickle.BYTEARRAY8 + bytes(8), "BYTEARRAY8"),
        (pickle.INT + b"9" * 5000 + b"\n", "INT"),
        (pickle.LONG4 + b"\xff\xff\xff\x7f", "LONG4"),
        (pickle.EMPTY_SET, "EMPTY_SET"),
        (number(1) + pickle.DUP, "DUP"),
        (b"\xff", "0xff"),
    ],
)
def test_opcode_that_arrays_do_not_need_is_refused(pickled: bytes, opcode: str) -> None:
    with pytest.raises(UnsafeFileError, match=f"opcode {opcode}'"):
        load(whole(pickled))


ENCODE = name("_codecs", "encode")
FLOATS = array(tuple_of(number(1)), dtype("f4"), raw_bytes(bytes(4)))


@pytest.mark.parametrize(
    "pickled",
    [
        call(NDARRAY, tuple_of(number(2**30), number(2**30))),
        call(
            name("numpy._core.multiarray", "_reconstruct"),
            NDARRAY,
            tuple_of(number(2**30)),
            text("b"),
        ),
        call(
            name("numpy._core.multiarray", "_reconstruct"),
            name("numpy", "dtype"),
            tuple_of(number(0)),
            text("b"),
        ),
        call(name("__builtin__", "bytes"), number(2**30)),
        call(ENCODE, text("cnffjq"), text("rot13")),
        call(ENCODE, text("ab"), text("latin1"), text("strict")),
        call(text("os.system"), text("id")),
        call(number(1)),
        call(FLOATS),
        NDARRAY + tuple_of(pickle.NONE) + pickle.BUILD,
        ENCODE + tuple_of(pickle.NONE) + pickle.BUILD,
        pickle.EMPTY_LIST + tuple_of(pickle.NONE) + pickle.BUILD,
        NDARRAY + number(1) + pickle.APPEND,
        FLOATS
        + tuple_of(number(1), tuple_of(), dtype("f4"), pickle.NEWFALSE, raw_bytes(bytes(4)))
        + pickle.BUILD,
        call(
            name("numpy", "dtype"),
            list_of(tuple_of(text("f"), text("O"))),
            number(0),
            number(1),
        ),
        dtype("f4")
        + tuple_of(number(3), text("<"), pickle.NONE, tuple_of(text("f")), *[number(0)] * 4)
        + pickle.BUILD,
        dtype("f4")
        + tuple_of(number(3), text("\u0660"), *[pickle.NONE] * 3, *[number(0)] * 3)
        + pickle.BUILD,
        array(tuple_of(number(1)), dtype("f4"), list_of(number(1))),
        array(tuple_of(number(1)), dtype("f4"), text("abcd")),
        objects(pickle.EMPTY_LIST),
        objects(NDARRAY),
        objects(NEW_ARRAY),
        text("numpy") + number(1) + pickle.STACK_GLOBAL,
        number(1),
        NEW_ARRAY,
        dtype("f4"),
    ],
)
def test_admitted_names_do_only_what_arrays_need(pickled: bytes) -> None:
    with pytest.raises(UnsafeFileError):
        load(whole(pickled))


@pytest.mark.parametrize(
    "pickled",
    [
        # Eight bytes that would be taken for a pointer.
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
def test_pickle_cut_short_is_refused(end: int) -> None:
    pickled = pickle.dumps(object_array([np.arange(3.0), np.arange(2)]), protocol=4)
    assert end < len(pickled)
    with pytest.raises(DataError):
        load(pickled[:end])


def swollen(kind: str) -> bytes:
    """A file that refers to itself until it would be gigabytes."""
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
def test_pickle_that_swells_is_refused_within_its_measure(kind: str) -> None:
    pickled = whole(swollen(kind))
    tracemalloc.start()
    try:
        with pytest.raises(DataError):
            load(pickled)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 1.5 * MAX_EXPANSION * len(pickled) + 1_000_000


def test_deep_nesting_ends_in_an_error_not_in_a_crash() -> None:
    depth = 20_000
    nested = objects(b"@").split(b"@")
    with pytest.raises(DataError, match="nest"):
        load(whole(nested[0] * depth + pickle.NONE + nested[1] * depth))
    tuples = number(1) + pickle.TUPLE1 * depth
    with pytest.raises(UnsafeFileError, match="no text"):
        load(whole(tuples + text("x") + pickle.STACK_GLOBAL))
    with pytest.raises(UnsafeFileError):
        load(whole(dtype("f4") + tuples + pickle.BUILD))


def test_endless_pickle_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("framesweep.data.formats.pickle_machine.MAX_STEPS", 1000)
    assert MAX_STEPS > 1000
    with pytest.raises(DataError, match="at most 1000 pickle opcodes"):
        load(pickle.NONE * 2000)


def test_array_that_holds_itself_is_refused() -> None:
    memo, again = pickle.BINPUT + b"\x01", pickle.BINGET + b"\x01"
    state = tuple_of(
        number(1), tuple_of(number(1)), dtype("O8", b"|"), pickle.NEWFALSE, list_of(again)
    )
    with pytest.raises(UnsafeFileError):
        load(whole(NEW_ARRAY + memo + state + pickle.BUILD))


def test_one_array_in_two_places_comes_back_twice() -> None:
    twice = np.arange(4.0)
    loaded = load(pickle.dumps(object_array([twice, twice]), protocol=4))
    np.testing.assert_array_equal(loaded[0], twice)
    np.testing.assert_array_equal(loaded[1], twice)


def test_numbers_and_nested_arrays_come_back() -> None:
    items = [1, -70_000, 2**62, -1, 0.25, None, "AA", object_array([1.5, 2])]
    loaded = load(pickle.dumps(object_array(items), protocol=3))
    assert loaded[:7].tolist() == items[:7]
    assert loaded[7].tolist() == [1.5, 2]


def test_object_array_of_rank_two_keeps_its_order() -> None:
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
def test_arrays_come_back_as_they_were(
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
def test_any_changed_byte_gives_an_array_or_a_data_error(
    position: int, value: int, protocol: int
) -> None:
    pickled = bytearray(
        pickle.dumps(object_array([np.arange(3.0), np.array(["AA"])]), protocol=protocol)
    )
    pickled[position % len(pickled)] = value
    with contextlib.suppress(DataError):
        assert isinstance(load(bytes(pickled)), np.ndarray)
