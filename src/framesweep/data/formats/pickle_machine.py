"""The few pickle opcodes that arrays need, run without calling anything.

The standard unpickler calls what a file names, and hooks on it leave ways round them: cached
extension codes, attributes set by BUILD, memory taken as a file declares it. Here a file only
moves numbers, text, bytes, tuples and lists on a stack; what its names, calls and states mean
is left to a subclass, and every opcode that is not listed is refused. The opcodes are those of
the standard library's `pickletools`.
"""

import pickle
import pickletools
import struct
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

from framesweep.errors import DataError, UnsafeFileError

MAX_STEPS = 10_000_000
"""Opcodes a file may have; an array takes about 30."""


class Interpreter(ABC):
    """A stack, the marks on it, and the memo.

    Args:
        data: a whole pickle; bytes on the stack are views on it.
        where: the file, for messages.
    """

    def __init__(self, data: memoryview, where: object) -> None:
        self.data = data
        self.where = where
        self.at = 0
        self.stack: list[Any] = []
        self.marks: list[int] = []
        self.memo: dict[int, Any] = {}

    @abstractmethod
    def name(self, module: str, name: str) -> object:
        """What to put on the stack for a name in a module."""

    @abstractmethod
    def reduce(self, function: Any, arguments: Any) -> object:
        """What to put on the stack for a call."""

    @abstractmethod
    def build(self, target: Any, state: Any) -> None:
        """Gives `target`, which stays on the stack, its state."""

    def run(self) -> Any:
        """What the pickle leaves on the stack.

        Raises:
            UnsafeFileError: it asks for what is not admitted.
            DataError: it is cut short, damaged or endless.
        """
        data, opcodes = self.data, _OPCODES
        try:
            for _ in range(MAX_STEPS):
                code = data[self.at]
                self.at += 1
                if code == _STOP:
                    return self._last()
                if code not in opcodes:
                    raise self.refusal(f"opcode {_OPCODE_NAMES.get(code, hex(code))}")
                opcodes[code](self)
        except (IndexError, KeyError, ValueError, OverflowError) as error:
            raise DataError(
                self.where,
                f"must hold one whole pickle ({type(error).__name__}: {error})",
                fix="The file may be cut short; fetch or save it again.",
            ) from None
        raise DataError(self.where, f"must have at most {MAX_STEPS} pickle opcodes")

    def refusal(self, found: str) -> UnsafeFileError:
        """The error for a pickle that asks for `found`."""
        return UnsafeFileError(
            self.where,
            "must hold numpy arrays only, for anything else in a pickle can run code",
            found=found[:80],
        )

    def _last(self) -> Any:
        if self.at != len(self.data):
            raise ValueError(f"{len(self.data) - self.at} bytes after its end")
        return self.stack.pop()

    def _take(self, size: int) -> memoryview:
        end = self.at + size
        if end > len(self.data):
            raise ValueError("cut short")
        taken = self.data[self.at : end]
        self.at = end
        return taken

    def _number(self, size: int, *, signed: bool = False) -> int:
        return int.from_bytes(self._take(size), "little", signed=signed)

    def _bytes(self, size_bytes: int) -> memoryview:
        return self._take(self._number(size_bytes))

    def _text(self, size_bytes: int) -> str:
        return str(self._bytes(size_bytes), "utf-8")

    def _line(self) -> str:
        line, newline, _ = bytes(self.data[self.at : self.at + 256]).partition(b"\n")
        if not newline:
            raise ValueError("a name without end")
        self.at += len(line) + 1
        return line.decode("ascii")

    def _to_mark(self) -> list[Any]:
        start = self.marks.pop()
        items = self.stack[start:]
        del self.stack[start:]
        return items

    def _tuple(self, size: int) -> None:
        if size > len(self.stack):
            raise IndexError("the stack is empty")
        self.stack[-size:] = [tuple(self.stack[-size:])]

    def _extend(self, items: list[Any]) -> None:
        target = self.stack[-1]
        if type(target) is not list:
            raise self.refusal(f"items for {type(target).__name__}")
        target.extend(items)

    def _name(self, module: Any, name: Any) -> None:
        # Nothing else may be hashed or printed: tuples can nest without end.
        if not (isinstance(module, str) and isinstance(name, str)):
            raise self.refusal("a name that is no text")
        self.stack.append(self.name(module, name))

    def _stack_name(self) -> None:
        name = self.stack.pop()
        self._name(self.stack.pop(), name)

    def _reduce(self) -> None:
        arguments = self.stack.pop()
        self.stack.append(self.reduce(self.stack.pop(), arguments))

    def _build(self) -> None:
        state = self.stack.pop()
        self.build(self.stack[-1], state)

    def _put(self, key: int) -> None:
        self.memo[key] = self.stack[-1]


_Opcode = Callable[[Interpreter], object]
_STOP = pickle.STOP[0]
_OPCODE_NAMES = {ord(opcode.code): opcode.name for opcode in pickletools.opcodes}


def _push(value: Callable[[Interpreter], object]) -> _Opcode:
    return lambda i: i.stack.append(value(i))


_OPCODES: dict[int, _Opcode] = {
    code[0]: opcode
    for code, opcode in {
        pickle.PROTO: lambda i: i._take(1),
        pickle.FRAME: lambda i: i._take(8),
        pickle.NONE: _push(lambda i: None),
        pickle.NEWTRUE: _push(lambda i: True),
        pickle.NEWFALSE: _push(lambda i: False),
        pickle.BININT: _push(lambda i: i._number(4, signed=True)),
        pickle.BININT1: _push(lambda i: i._number(1)),
        pickle.BININT2: _push(lambda i: i._number(2)),
        pickle.LONG1: _push(lambda i: i._number(i._number(1), signed=True)),
        pickle.BINFLOAT: _push(lambda i: struct.unpack(">d", i._take(8))[0]),
        pickle.SHORT_BINBYTES: _push(lambda i: i._bytes(1)),
        pickle.BINBYTES: _push(lambda i: i._bytes(4)),
        pickle.BINBYTES8: _push(lambda i: i._bytes(8)),
        pickle.SHORT_BINSTRING: _push(lambda i: i._bytes(1)),
        pickle.BINSTRING: _push(lambda i: i._bytes(4)),
        pickle.SHORT_BINUNICODE: _push(lambda i: i._text(1)),
        pickle.BINUNICODE: _push(lambda i: i._text(4)),
        pickle.BINUNICODE8: _push(lambda i: i._text(8)),
        pickle.EMPTY_LIST: _push(lambda i: []),
        pickle.APPEND: lambda i: i._extend([i.stack.pop()]),
        pickle.APPENDS: lambda i: i._extend(i._to_mark()),
        pickle.EMPTY_TUPLE: _push(lambda i: ()),
        pickle.TUPLE1: lambda i: i._tuple(1),
        pickle.TUPLE2: lambda i: i._tuple(2),
        pickle.TUPLE3: lambda i: i._tuple(3),
        pickle.TUPLE: _push(lambda i: tuple(i._to_mark())),
        pickle.MARK: lambda i: i.marks.append(len(i.stack)),
        pickle.GLOBAL: lambda i: i._name(i._line(), i._line()),
        pickle.STACK_GLOBAL: Interpreter._stack_name,
        pickle.REDUCE: Interpreter._reduce,
        pickle.BUILD: Interpreter._build,
        pickle.BINPUT: lambda i: i._put(i._number(1)),
        pickle.LONG_BINPUT: lambda i: i._put(i._number(4)),
        pickle.MEMOIZE: lambda i: i._put(len(i.memo)),
        pickle.BINGET: _push(lambda i: i.memo[i._number(1)]),
        pickle.LONG_BINGET: _push(lambda i: i.memo[i._number(4)]),
    }.items()
}
