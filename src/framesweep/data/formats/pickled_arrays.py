"""What the pickle inside an .npy file of objects may mean: numpy arrays, and nothing else.

Knows the few calls by which every numpy under Python 2 and 3 pickles an array:
`_reconstruct(ndarray, (0,), b"b")` with the state `(version, shape, dtype, fortran, data)`,
`dtype(name, ...)` with a state that tells its byte order, and numbers by `scalar`.
"""

from enum import Enum, auto
from typing import Any

import numpy as np

from framesweep.data.corpus import Array
from framesweep.data.formats.array_buffers import check_shape, native, plain_dtype, view
from framesweep.data.formats.pickle_machine import Interpreter
from framesweep.errors import DataError

MAX_EXPANSION = 64
"""Content, in times of its file's size: a pickle may refer to its bytes again and again."""
MAX_DEPTH = 2
"""Arrays of objects within each other: a corpus of utterances, and those of numbers."""


class _Name(Enum):
    RECONSTRUCT = auto()
    NDARRAY = auto()
    DTYPE = auto()
    SCALAR = auto()
    ENCODE = auto()
    BYTES = auto()


_NAMES = {
    ("numpy.core.multiarray", "_reconstruct"): _Name.RECONSTRUCT,
    ("numpy._core.multiarray", "_reconstruct"): _Name.RECONSTRUCT,
    ("numpy.core.multiarray", "scalar"): _Name.SCALAR,
    ("numpy._core.multiarray", "scalar"): _Name.SCALAR,
    ("numpy", "ndarray"): _Name.NDARRAY,
    ("numpy", "dtype"): _Name.DTYPE,
    # How Python 3 writes bytes for Python 2 to read.
    ("_codecs", "encode"): _Name.ENCODE,
    ("__builtin__", "bytes"): _Name.BYTES,
}


class _PickledDtype:
    """A dtype, whose byte order comes after it."""

    __slots__ = ("value",)

    def __init__(self, value: np.dtype[Any]) -> None:
        self.value = value


class _PickledArray:
    """An array, whose content comes after it: `size` bytes of it, `depth` arrays deep."""

    __slots__ = ("depth", "size", "value")

    def __init__(self) -> None:
        self.value: Array | None = None
        self.size = 0
        self.depth = 0


def load_object_array(data: memoryview, where: object) -> Array:
    """The array pickled in `data`; nothing that `data` names is run.

    Args:
        data: a whole pickle of one numpy array.
        where: the file, for messages.

    Returns:
        The array. One of objects has arrays, text or numbers as elements; these arrays are
        in the processor's byte order and mostly read-only, unaligned views on `data`.

    Raises:
        UnsafeFileError: the pickle asks for anything but numpy arrays.
        DataError: the pickle is cut short, damaged, or would swell beyond measure.
    """
    reader = _ArrayReader(data, where)
    top = reader.run()
    if not isinstance(top, _PickledArray) or top.value is None:
        raise reader.refusal(type(top).__name__)
    return top.value


class _ArrayReader(Interpreter):
    def __init__(self, data: memoryview, where: object) -> None:
        super().__init__(data, where)
        self.budget = MAX_EXPANSION * len(data)

    def name(self, module: str, name: str) -> _Name:
        try:
            return _NAMES[module, name]
        except KeyError:
            raise self.refusal(f"{module}.{name}") from None

    def reduce(self, function: Any, arguments: Any) -> object:
        match function, arguments:
            case _Name.RECONSTRUCT, (_Name.NDARRAY, (0,), _):
                return _PickledArray()
            case _Name.DTYPE, (name, _, _):
                return _PickledDtype(plain_dtype(self._as_text(name), self.where))
            case _Name.SCALAR, (_PickledDtype(value=dtype), memoryview() as raw):
                self._spend(len(raw))
                return view(raw, dtype, (), fortran_order=False, where=self.where)[()]
            case _Name.ENCODE, (str() as text, "latin1"):
                self._spend(len(text))
                return memoryview(text.encode("latin-1"))
            case _Name.BYTES, ():
                return memoryview(b"")
        called = function.name if isinstance(function, _Name) else type(function).__name__
        raise self.refusal(f"an unusual call of {called}")

    def build(self, target: Any, state: Any) -> None:
        match target, state:
            case _PickledDtype(), (int(), order, None, None, None, int(), int(), int()):
                target.value = target.value.newbyteorder(self._byte_order(order))
            case (
                _PickledArray(value=None),
                (int(), tuple() as shape, _PickledDtype(value=dtype), int() as fortran, data),
            ):
                if type(data) is list and dtype.hasobject:
                    self._fill(target, shape, data)
                elif isinstance(data, memoryview):
                    target.size = len(data)
                    value = view(
                        data, dtype, shape, fortran_order=bool(fortran), where=self.where
                    )
                    target.value = value if dtype.isnative else native(value)
                else:
                    raise self.refusal(f"an array made of {type(data).__name__}")
            case _:
                raise self.refusal(f"an unusual state of {type(target).__name__}")

    def _fill(self, target: _PickledArray, shape: tuple[Any, ...], elements: list[Any]) -> None:
        check_shape(shape, self.where)
        arrays = [element for element in elements if isinstance(element, _PickledArray)]
        target.size = 8 * len(elements) + sum(array.size for array in arrays)
        target.depth = 1 + max((array.depth for array in arrays), default=0)
        self._spend(target.size)
        if target.depth > MAX_DEPTH:
            raise DataError(self.where, f"arrays must nest at most {MAX_DEPTH} deep")
        flat = np.empty(len(elements), dtype=object)
        for i, element in enumerate(elements):
            flat[i] = self._element(element)
        # Lists of elements are in C order, whatever the array was in.
        target.value = flat.reshape(shape)

    def _element(self, element: Any) -> Any:
        match element:
            case _PickledArray(value=np.ndarray() as array):
                return array
            case memoryview() | np.bytes_():
                return self._as_text(memoryview(element))
            case None | str() | int() | float() | np.generic():
                return element
        raise self.refusal(f"{type(element).__name__} in an array")

    def _as_text(self, raw: Any) -> str:
        """Text, which Python 2 pickles as bytes."""
        if isinstance(raw, memoryview):
            self._spend(len(raw))
            return str(raw, "latin-1")
        if isinstance(raw, str):
            return raw
        raise self.refusal(f"{type(raw).__name__} for text")

    def _byte_order(self, raw: Any) -> Any:
        order = self._as_text(raw)
        if order not in ("<", ">", "|"):
            raise self.refusal("an unknown byte order")
        return order

    def _spend(self, size: int) -> None:
        self.budget -= size
        if self.budget < 0:
            raise DataError(
                self.where, f"content must be at most {MAX_EXPANSION} times the file's size"
            )
