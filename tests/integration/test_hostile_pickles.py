"""Hostile pickles of every kind are refused and run nothing.

Each is also shown to work on the standard unpickler: there it makes a folder.
"""

import contextlib
import copyreg
import os
import pickle
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from framesweep.errors import UnsafeFileError
from pickle_opcodes import (
    ENCODE,
    FLOATS,
    NDARRAY,
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
    stack_name,
    text,
    tuple_of,
    whole,
)

EXTENSION_CODE = 0x70AB


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


def pickled_by_python(folder: Path) -> dict[str, bytes]:
    """What the standard pickler writes for an object whose __reduce__ makes `folder`."""
    evil = Evil(folder)
    nested = np.array([np.zeros(2), evil, None], dtype=object)
    twice = np.empty(1, dtype=object)
    twice[0] = nested
    return {
        **{f"reduce, protocol {p}": pickle.dumps(evil, protocol=p) for p in range(6)},
        **{f"nested, protocol {p}": pickle.dumps(nested, protocol=p) for p in range(6)},
        "nested twice": pickle.dumps(twice),
    }


def calls_by_name(folder: Path) -> dict[str, bytes]:
    """Calls of functions that make `folder`, named and called in all the ways there are."""
    path = text(str(folder))
    mkdir = name("os", "mkdir")
    statement = text(f"import os; os.mkdir({str(folder)!r})")
    expression = text(f"__import__('os').mkdir({str(folder)!r})")
    runstring = name("numpy.testing._private.utils", "runstring")
    return {
        "global": whole(mkdir_by(mkdir, folder)),
        "stack global": whole(mkdir_by(stack_name("os", "mkdir"), folder)),
        "builtins.exec": whole(call(name("builtins", "exec"), statement)),
        "builtins.eval": whole(call(name("builtins", "eval"), expression)),
        "python 2 name": whole(call(name("__builtin__", "eval"), expression), protocol=2),
        "dotted name": whole(mkdir_by(stack_name("shutil", "os.mkdir"), folder)),
        "numpy's own runstring": whole(call(runstring, statement, pickle.EMPTY_DICT)),
        "inst": whole(pickle.MARK + path + pickle.INST + b"os\nmkdir\n"),
        "obj": whole(pickle.MARK + mkdir + path + pickle.OBJ),
    }


def calls_within_arrays(folder: Path) -> dict[str, bytes]:
    """Calls that make `folder` from inside what describes an array."""
    mkdir = mkdir_by(name("os", "mkdir"), folder)
    empty = array(tuple_of(number(0)), dtype("f4"), raw_bytes(b""))
    return {
        "state of an array": whole(
            NEW_ARRAY
            + tuple_of(
                number(1),
                tuple_of(number(1)),
                dtype("O8", b"|"),
                pickle.NEWFALSE,
                list_of(mkdir),
            )
            + pickle.BUILD
        ),
        "shape of an array": whole(
            array(tuple_of(mkdir, number(0)), dtype("f4"), raw_bytes(b""))
        ),
        "spec of a dtype": whole(call(name("numpy", "dtype"), mkdir)),
        "dropped before the array": whole(mkdir + pickle.POP + empty),
    }


def hostile_pickles(folder: Path) -> dict[str, bytes]:
    """Pickles that make `folder` when the standard unpickler reads them."""
    return pickled_by_python(folder) | calls_by_name(folder) | calls_within_arrays(folder)


HOSTILE = sorted(hostile_pickles(Path("unused")))


@pytest.mark.parametrize("shape", HOSTILE)
def test_a_hostile_pickle_is_rejected_and_runs_nothing(shape: str, canary: Path) -> None:
    pickled = hostile_pickles(canary)[shape]
    with pytest.raises(UnsafeFileError, match="must contain numpy arrays only") as raised:
        load(pickled)
    assert not canary.exists()
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("shape", HOSTILE)
def test_the_standard_unpickler_would_run_the_hostile_pickle(shape: str, canary: Path) -> None:
    # Some fail after making the folder: what mkdir returns is not a dtype or a size.
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
def test_a_known_name_is_rejected_in_any_unusual_role(pickled: bytes) -> None:
    with pytest.raises(UnsafeFileError):
        load(whole(pickled))
