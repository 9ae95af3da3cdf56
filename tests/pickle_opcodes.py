"""Pickles written opcode by opcode, to test what the standard pickler would never write."""

import pickle
import struct
from typing import Any

import numpy as np

from framesweep.data.formats.pickled_arrays import load_object_array


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
    """A complete pickle around `body`."""
    return pickle.PROTO + bytes([protocol]) + body + pickle.STOP


# As numpy pickles arrays.
NDARRAY = name("numpy", "ndarray")
ENCODE = name("_codecs", "encode")
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
    """An object array of rank 1."""
    return array(tuple_of(number(len(items))), dtype("O8", b"|"), list_of(*items))


FLOATS = array(tuple_of(number(1)), dtype("f4"), raw_bytes(bytes(4)))


def load(pickled: bytes) -> np.ndarray[Any, Any]:
    """Read a pickle as the reader of object arrays does."""
    return load_object_array(memoryview(pickled), "file.npy")
