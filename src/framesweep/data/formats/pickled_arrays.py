"""Reads the pickle inside an .npy file of objects: numpy arrays, and nothing else.

This module gives meaning to the few names and calls with which every numpy under Python 2 and 3
pickles an array:

* `_reconstruct(ndarray, (0,), b"b")` makes an empty array, whose state is the tuple
  `(version, shape, dtype, is_fortran, data)` (`ndarray.__reduce__`);
* `dtype(name, align, copy)` makes a dtype, whose state contains its byte order
  (`dtype.__reduce__`);
* `scalar(dtype, bytes)` makes a number.

None of these is ever called. Calls return placeholders of this module, states are compared with
the patterns above, and arrays are views on the file's bytes.
"""

from enum import Enum, auto
from typing import Any

import numpy as np

from framesweep.data.corpus import Array
from framesweep.data.formats.array_buffers import (
    parse_dtype,
    to_native,
    validate_shape,
    view_array,
)
from framesweep.data.formats.pickle_machine import PickleMachine
from framesweep.errors import DataError

MAX_EXPANSION = 64
"""Largest size of the content in multiples of the file's size. A pickle can refer to the same
bytes again and again, so that a small file would fill the memory ("billion laughs")."""
MAX_DEPTH = 2
"""Largest nesting of object arrays: a corpus of utterances, each of them an object array of
numbers. Arrays of plain numbers do not count."""


class _Name(Enum):
    RECONSTRUCT = auto()
    NDARRAY = auto()
    DTYPE = auto()
    SCALAR = auto()
    ENCODE = auto()
    BYTES = auto()


_NAMES = {
    # numpy 2 renamed numpy.core to numpy._core.
    ("numpy.core.multiarray", "_reconstruct"): _Name.RECONSTRUCT,
    ("numpy._core.multiarray", "_reconstruct"): _Name.RECONSTRUCT,
    ("numpy.core.multiarray", "scalar"): _Name.SCALAR,
    ("numpy._core.multiarray", "scalar"): _Name.SCALAR,
    ("numpy", "ndarray"): _Name.NDARRAY,
    ("numpy", "dtype"): _Name.DTYPE,
    # Under protocol 2, Python 3 writes bytes as a call that Python 2 understands too:
    # _codecs.encode(text, "latin1"), or bytes() if there are none.
    ("_codecs", "encode"): _Name.ENCODE,
    ("__builtin__", "bytes"): _Name.BYTES,
}


class _PickledDtype:
    """A dtype whose byte order follows as its state."""

    __slots__ = ("value",)

    def __init__(self, value: np.dtype[Any]) -> None:
        self.value = value


class _PickledArray:
    """An array whose content follows as its state.

    Attributes:
        value: the array, None until its state is set.
        size: bytes of its content, nested arrays included.
        depth: levels of object arrays; 0 for plain numbers.
    """

    __slots__ = ("depth", "size", "value")

    def __init__(self) -> None:
        self.value: Array | None = None
        self.size = 0
        self.depth = 0


def load_object_array(data: memoryview, where: object) -> Array:
    """Return the array pickled in `data`, without running anything that `data` names.

    Args:
        data: a complete pickle of one numpy array.
        where: the file, for error messages.

    Returns:
        The array. The elements of an object array are arrays, strings, numbers or None; nested
        arrays are in native byte order, and mostly read-only, unaligned views on `data`.

    Raises:
        UnsafeFileError: the pickle contains anything but numpy arrays.
        DataError: the pickle is truncated, damaged, or would expand beyond MAX_EXPANSION.
    """
    reader = _ArrayReader(data, where)
    top = reader.run()
    if not isinstance(top, _PickledArray) or top.value is None:
        raise reader.refusal(type(top).__name__)
    return top.value


class _ArrayReader(PickleMachine):
    def __init__(self, data: memoryview, where: object) -> None:
        super().__init__(data, where)
        self.remaining_bytes = MAX_EXPANSION * len(data)

    def resolve_name(self, module: str, name: str) -> _Name:
        try:
            return _NAMES[module, name]
        except KeyError:
            raise self.refusal(f"{module}.{name}") from None

    # Patterns compare literals with ==, which is safe here: the machine only makes objects of
    # classes known to be harmless, so a file cannot choose whose __eq__ runs.
    def reduce(self, function: Any, arguments: Any) -> object:
        match function, arguments:
            case _Name.RECONSTRUCT, (_Name.NDARRAY, (0,), _):
                return _PickledArray()
            case _Name.DTYPE, (name, _, _):
                return _PickledDtype(parse_dtype(self._to_text(name), self.where))
            case _Name.SCALAR, (_PickledDtype(value=dtype), memoryview() as raw):
                self._charge(len(raw))
                return view_array(raw, dtype, (), fortran_order=False, where=self.where)[()]
            case _Name.ENCODE, (str() as text, "latin1"):
                self._charge(len(text))
                return memoryview(text.encode("latin-1"))
            case _Name.BYTES, ():
                return memoryview(b"")
        callee = function.name if isinstance(function, _Name) else type(function).__name__
        raise self.refusal(f"an unusual call of {callee}")

    def build(self, target: Any, state: Any) -> None:
        match target, state:
            case _PickledDtype(), (int(), order, None, None, None, int(), int(), int()):
                target.value = target.value.newbyteorder(self._to_byte_order(order))
            # An array gets its state once: a second one could make it contain itself.
            case (
                _PickledArray(value=None),
                (int(), tuple() as shape, _PickledDtype(value=dtype), int() as fortran, data),
            ):
                if type(data) is list and dtype.hasobject:
                    self._set_objects(target, shape, data)
                elif isinstance(data, memoryview):
                    target.size = len(data)
                    value = view_array(
                        data, dtype, shape, fortran_order=bool(fortran), where=self.where
                    )
                    target.value = value if dtype.isnative else to_native(value)
                else:
                    raise self.refusal(f"an array made of {type(data).__name__}")
            case _:
                raise self.refusal(f"an unusual state of {type(target).__name__}")

    def _set_objects(
        self, target: _PickledArray, shape: tuple[Any, ...], elements: list[Any]
    ) -> None:
        validate_shape(shape, self.where)
        arrays = [element for element in elements if isinstance(element, _PickledArray)]
        # A reader of the corpus copies each element, so an array that is referred to twice
        # counts twice; a pointer takes 8 bytes.
        target.size = 8 * len(elements) + sum(array.size for array in arrays)
        target.depth = 1 + max((array.depth for array in arrays), default=0)
        self._charge(target.size)
        if target.depth > MAX_DEPTH:
            raise DataError(self.where, f"object arrays must nest at most {MAX_DEPTH} deep")
        # np.array(elements) would stack arrays of equal shape instead of keeping them apart.
        flat = np.empty(len(elements), dtype=object)
        for i, element in enumerate(elements):
            flat[i] = self._to_element(element)
        # numpy pickles elements in C order, whatever the order of the array was.
        target.value = flat.reshape(shape)

    def _to_element(self, element: Any) -> Any:
        match element:
            case _PickledArray(value=np.ndarray() as array):
                return array
            case memoryview() | np.bytes_():
                return self._to_text(memoryview(element))
            case None | str() | int() | float() | np.generic():
                return element
        raise self.refusal(f"{type(element).__name__} in an array")

    def _to_text(self, raw: Any) -> str:
        """Return text, which Python 2 pickles as bytes in Latin-1."""
        if isinstance(raw, memoryview):
            self._charge(len(raw))
            return str(raw, "latin-1")
        if isinstance(raw, str):
            return raw
        raise self.refusal(f"{type(raw).__name__} instead of text")

    def _to_byte_order(self, raw: Any) -> Any:
        order = self._to_text(raw)
        if order not in ("<", ">", "|"):
            raise self.refusal("an unknown byte order")
        return order

    def _charge(self, size: int) -> None:
        """Count `size` bytes of content; raise DataError if there are too many."""
        self.remaining_bytes -= size
        if self.remaining_bytes < 0:
            raise DataError(
                self.where,
                f"the content must be at most {MAX_EXPANSION} times as large as the file",
            )
