"""Runs the few pickle opcodes that arrays need, without calling anything a file names.

A pickle is a program for a small stack machine (see the comments in the standard library's
`pickletools`, PEP 307 for protocol 2 and PEP 3154 for protocol 4). Its GLOBAL opcode imports
any name and REDUCE calls it, so unpickling an untrusted file runs its author's code. The
documentation of `pickle` suggests overriding `Unpickler.find_class`, but that is not enough:

* EXT1, EXT2 and EXT4 fetch objects from copyreg's cache and bypass `find_class`;
* BUILD sets attributes, and calls `__setstate__`, on any object that an allowed name provides;
* numpy's own functions, which must be allowed, crash or allocate what a file declares when
  they are given a crafted dtype or shape.

This machine therefore implements a subset: a file can only push numbers, text, bytes, tuples
and lists, and memoize them. What names, calls and states mean is decided by a subclass, which
compares them with the ones it knows. Every other opcode is refused. The machine bounds

* time, by the number of opcodes;
* the memory of each item, since bytes are views on the file and text is at most as long as it
  (a subclass must bound what its calls return: a file can refer to one item many times);
* recursion: it never recurses, however deep a file nests tuples and lists.
"""

import pickle
import pickletools
import struct
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

from framesweep.errors import DataError, UnsafeFileError

MAX_STEPS = 10_000_000
"""Largest number of opcodes in a file. An array takes about 30."""
_MAX_LINE = 256
"""Longest name in bytes, its newline included."""


class PickleMachine(ABC):
    """A stack, marks on it, and a memo, driven by the opcodes of one pickle.

    Args:
        data: a complete pickle; bytes on the stack are views on it.
        where: the file, for error messages.
    """

    def __init__(self, data: memoryview, where: object) -> None:
        self.data = data
        self.where = where
        self.position = 0
        self.stack: list[Any] = []
        # Heights of the stack at each MARK. A file may pop below a mark; what follows the mark
        # is then empty.
        self.marks: list[int] = []
        self.memo: dict[int, Any] = {}

    @abstractmethod
    def resolve_name(self, module: str, name: str) -> object:
        """Return what to push for `name` in `module`, or raise `refusal`."""

    @abstractmethod
    def reduce(self, function: Any, arguments: Any) -> object:
        """Return what to push for the call `function(*arguments)`, or raise `refusal`."""

    @abstractmethod
    def build(self, target: Any, state: Any) -> None:
        """Give `target`, which stays on the stack, its state, or raise `refusal`."""

    def run(self) -> Any:
        """Run the pickle and return what it leaves on the stack.

        Raises:
            UnsafeFileError: it uses an opcode, a name or a call that is not allowed.
            DataError: it is truncated, damaged, or has too many opcodes.
        """
        data, opcodes = self.data, _OPCODES
        try:
            for _ in range(MAX_STEPS):
                code = data[self.position]
                self.position += 1
                if code == _STOP:
                    return self._pop_result()
                if code not in opcodes:
                    raise self.refusal(f"opcode {_OPCODE_NAMES.get(code, hex(code))}")
                opcodes[code](self)
        # A damaged pickle pops an empty stack, reads beyond the end, or asks the memo for what
        # it never got; checking each of these in advance would cost time for every opcode.
        except (IndexError, KeyError, ValueError, OverflowError) as error:
            raise DataError(
                self.where,
                f"must contain one complete pickle ({type(error).__name__}: {error})",
                fix="The file may be truncated; download or save it again.",
            ) from None
        raise DataError(self.where, f"must have at most {MAX_STEPS} pickle opcodes")

    def refusal(self, found: str) -> UnsafeFileError:
        """Return the error for a pickle that asks for `found`."""
        return UnsafeFileError(
            self.where,
            "must contain numpy arrays only, because any other pickle can run code",
            found=found[:80],
        )

    def _pop_result(self) -> Any:
        if self.position != len(self.data):
            raise ValueError(f"{len(self.data) - self.position} bytes after its end")
        return self.stack.pop()

    def _read(self, size: int) -> memoryview:
        # Slicing a memoryview past its end returns less without complaint, so compare first. No
        # memory is taken, whatever size a file declares.
        end = self.position + size
        if end > len(self.data):
            raise ValueError("truncated")
        content = self.data[self.position : end]
        self.position = end
        return content

    def _read_integer(self, size: int, *, signed: bool = False) -> int:
        return int.from_bytes(self._read(size), "little", signed=signed)

    def _read_bytes(self, length_size: int) -> memoryview:
        return self._read(self._read_integer(length_size))

    def _read_text(self, length_size: int) -> str:
        return str(self._read_bytes(length_size), "utf-8")

    def _read_line(self) -> str:
        ahead = bytes(self.data[self.position : self.position + _MAX_LINE])
        line, newline, _ = ahead.partition(b"\n")
        if not newline:
            raise ValueError("a name without end")
        self.position += len(line) + 1
        return line.decode("ascii")

    def _pop_to_mark(self) -> list[Any]:
        start = self.marks.pop()
        items = self.stack[start:]
        del self.stack[start:]
        return items

    def _pack_tuple(self, size: int) -> None:
        # A slice of too short a stack would pack fewer items instead of failing.
        if size > len(self.stack):
            raise IndexError("the stack is empty")
        self.stack[-size:] = [tuple(self.stack[-size:])]

    def _extend(self, items: list[Any]) -> None:
        # The pickle module calls the target's own extend or append, whatever the target is.
        target = self.stack[-1]
        if type(target) is not list:
            raise self.refusal(f"items for {type(target).__name__}")
        target.extend(items)

    def _push_name(self, module: Any, name: Any) -> None:
        # Only text may be looked up: hashing a tuple recurses in C without a limit, and a file
        # can nest tuples deep enough to overflow the C stack.
        if not (isinstance(module, str) and isinstance(name, str)):
            raise self.refusal("a name that is not text")
        self.stack.append(self.resolve_name(module, name))

    def _push_stack_name(self) -> None:
        name = self.stack.pop()
        self._push_name(self.stack.pop(), name)

    def _reduce(self) -> None:
        arguments = self.stack.pop()
        self.stack.append(self.reduce(self.stack.pop(), arguments))

    def _build(self) -> None:
        state = self.stack.pop()
        self.build(self.stack[-1], state)

    def _memoize(self, key: int) -> None:
        # A dictionary: the C unpickler's memo is an array as long as the largest key, so that
        # LONG_BINPUT can make it take gigabytes.
        self.memo[key] = self.stack[-1]


_Opcode = Callable[[PickleMachine], object]
_STOP = pickle.STOP[0]
_OPCODE_NAMES = {ord(opcode.code): opcode.name for opcode in pickletools.opcodes}


def _push(value: Callable[[PickleMachine], object]) -> _Opcode:
    return lambda m: m.stack.append(value(m))


# What arrays need under protocols 2 to 4, the only ones in which numpy has written .npy files.
# Dictionaries, sets, instances (INST, OBJ, NEWOBJ), persistent ids, extension codes,
# out-of-band buffers and numbers spelled as text (protocols 0 and 1) do not occur there.
_OPCODES: dict[int, _Opcode] = {
    code[0]: opcode
    for code, opcode in {
        # Ignored: the opcodes alone decide, and frames only help a reader that streams.
        pickle.PROTO: lambda m: m._read(1),
        pickle.FRAME: lambda m: m._read(8),
        pickle.NONE: _push(lambda m: None),
        pickle.NEWTRUE: _push(lambda m: True),
        pickle.NEWFALSE: _push(lambda m: False),
        pickle.BININT: _push(lambda m: m._read_integer(4, signed=True)),
        pickle.BININT1: _push(lambda m: m._read_integer(1)),
        pickle.BININT2: _push(lambda m: m._read_integer(2)),
        pickle.LONG1: _push(lambda m: m._read_integer(m._read_integer(1), signed=True)),
        pickle.BINFLOAT: _push(lambda m: struct.unpack(">d", m._read(8))[0]),
        # Byte strings of Python 2 (BINSTRING) and Python 3 (BINBYTES) stay bytes alike; who
        # uses one knows whether it is text.
        pickle.SHORT_BINBYTES: _push(lambda m: m._read_bytes(1)),
        pickle.BINBYTES: _push(lambda m: m._read_bytes(4)),
        pickle.BINBYTES8: _push(lambda m: m._read_bytes(8)),
        pickle.SHORT_BINSTRING: _push(lambda m: m._read_bytes(1)),
        pickle.BINSTRING: _push(lambda m: m._read_bytes(4)),
        pickle.SHORT_BINUNICODE: _push(lambda m: m._read_text(1)),
        pickle.BINUNICODE: _push(lambda m: m._read_text(4)),
        pickle.BINUNICODE8: _push(lambda m: m._read_text(8)),
        pickle.EMPTY_LIST: _push(lambda m: []),
        pickle.APPEND: lambda m: m._extend([m.stack.pop()]),
        pickle.APPENDS: lambda m: m._extend(m._pop_to_mark()),
        pickle.EMPTY_TUPLE: _push(lambda m: ()),
        pickle.TUPLE1: lambda m: m._pack_tuple(1),
        pickle.TUPLE2: lambda m: m._pack_tuple(2),
        pickle.TUPLE3: lambda m: m._pack_tuple(3),
        pickle.TUPLE: _push(lambda m: tuple(m._pop_to_mark())),
        pickle.MARK: lambda m: m.marks.append(len(m.stack)),
        pickle.GLOBAL: lambda m: m._push_name(m._read_line(), m._read_line()),
        pickle.STACK_GLOBAL: PickleMachine._push_stack_name,
        pickle.REDUCE: PickleMachine._reduce,
        pickle.BUILD: PickleMachine._build,
        pickle.BINPUT: lambda m: m._memoize(m._read_integer(1)),
        pickle.LONG_BINPUT: lambda m: m._memoize(m._read_integer(4)),
        pickle.MEMOIZE: lambda m: m._memoize(len(m.memo)),
        pickle.BINGET: _push(lambda m: m.memo[m._read_integer(1)]),
        pickle.LONG_BINGET: _push(lambda m: m.memo[m._read_integer(4)]),
    }.items()
}
