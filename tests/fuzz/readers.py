"""Fuzzes one reader, guided by coverage; run.py in this folder runs them all.

    python readers.py TARGET SCRATCH [libFuzzer's flags, or files to replay]

Whatever the bytes, a reader must return arrays or raise a DataError of one line. Nothing may be
run, imported or opened meanwhile, which Python's audit hooks verify. What the restricted pickle
reader accepts is compared with what numpy and the standard unpickler read.
"""

import codecs
import contextlib
import io
import pickle
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import atheris

with atheris.instrument_imports(include=["framesweep"]):
    from framesweep.data.formats import master_files, npy, pickled_arrays, segments
    from framesweep.data.formats.kaldi import read_index
    from framesweep.data.readers import hw1p2
    from framesweep.errors import DataError

import numpy as np
from reference import standard

TESTS = Path(__file__).parents[1]
SCRATCH = Path(sys.argv[2])
FORBIDDEN = ("exec", "compile", "import", "os.", "subprocess.", "socket.", "pickle.", "ctypes.")

watching = False


def watch(event: str, arguments: tuple[Any, ...]) -> None:
    """End the process if the bytes under test made Python do more than compute."""
    if watching and event.startswith(FORBIDDEN):
        raise SystemExit(f"the reader caused {event} {arguments!r:.200}")


@contextlib.contextmanager
def watched() -> Iterator[None]:
    global watching  # noqa: PLW0603
    watching = True
    try:
        yield
    finally:
        watching = False


def try_read(read: Callable[[], Any], reference: Callable[[], Any] | None = None) -> None:
    """Run `read`; its result must equal that of `reference`, unless that fails."""
    try:
        with watched():
            found = read()
    except DataError as error:
        if "\n" in str(error):
            raise SystemExit(f"the error has several lines: {error}") from error
        return
    if reference is None:
        return
    with contextlib.suppress(Exception):
        expected = reference()
        if not same(found, expected):
            print(repr(found), repr(expected), file=sys.stderr)
            raise SystemExit("the reader and numpy read different arrays")


def same(found: Any, expected: Any) -> bool:
    """Return whether two arrays are equal; text that was stored as bytes is not compared."""
    if found.shape != expected.shape:
        return False
    if not found.dtype.hasobject:
        return found.tobytes() == np.asarray(expected, found.dtype, order="C").tobytes()
    for ours, theirs in zip(found.flat, expected.flat, strict=True):
        if isinstance(ours, np.ndarray) and not same(ours, theirs):
            return False
    return True


def fuzz_npy(data: bytes) -> None:
    """Read the bytes as a plain .npy file, and its elements as the corpus reader does."""

    def read() -> Any:
        array = npy.parse_npy(memoryview(data), "file")
        if array.dtype.hasobject and array.ndim:
            for item in array[:10]:
                hw1p2._to_numbers(item, "file")
        return array

    def reference() -> Any:
        header = npy.read_header(memoryview(data), "file")
        if header.dtype.hasobject:
            return standard(data[header.size :])
        return np.load(io.BytesIO(data))

    try_read(read, reference)


def fuzz_pickle(data: bytes) -> None:
    """Read the bytes as the pickle in an .npy file."""
    try_read(
        lambda: pickled_arrays.load_object_array(memoryview(data), "file"),
        lambda: standard(data),
    )


FRAGMENTS = [
    *[pickle.NONE, pickle.NEWTRUE, pickle.NEWFALSE, pickle.EMPTY_LIST, pickle.EMPTY_TUPLE],
    *[pickle.MARK, pickle.TUPLE, pickle.TUPLE1, pickle.TUPLE2, pickle.TUPLE3, pickle.MEMOIZE],
    *[pickle.APPEND, pickle.APPENDS, pickle.REDUCE, pickle.BUILD, pickle.STACK_GLOBAL],
    *[pickle.BINGET + bytes([n]) for n in range(4)],
    *[
        pickle.TUPLE1 + pickle.REDUCE,
        pickle.TUPLE2 + pickle.REDUCE,
        pickle.TUPLE + pickle.REDUCE,
    ],
    *[pickle.POP, pickle.DUP, pickle.EXT1 + b"\1", pickle.BINPERSID, pickle.NEWOBJ, pickle.OBJ],
    pickle.GLOBAL + b"numpy.core.multiarray\n_reconstruct\n",
    pickle.GLOBAL + b"numpy._core.multiarray\nscalar\n",
    pickle.GLOBAL + b"numpy\nndarray\n",
    pickle.GLOBAL + b"numpy\ndtype\n",
    pickle.GLOBAL + b"_codecs\nencode\n",
    pickle.GLOBAL + b"__builtin__\nbytes\n",
    pickle.GLOBAL + b"os\nsystem\n",
    *[
        pickle.SHORT_BINUNICODE + bytes([len(t)]) + t
        for t in (b"f4", b">i2", b"U1", b"O8", b"<", b">", b"latin1", b"id")
    ],
    *[pickle.SHORT_BINBYTES + bytes([n]) + bytes(n) for n in (0, 1, 4, 8)],
    *[pickle.BININT1 + bytes([n]) for n in (0, 1, 2, 4)],
    # A new array, a dtype, the state of a plain array and that of one of objects.
    b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\nK\0\x85C\1btR",
    b"cnumpy\ndtype\n(X\2\0\0\0f4K\0K\1tR(K\3X\1\0\0\0<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\0tb",
    b"cnumpy\ndtype\n(X\2\0\0\0O8K\0K\1tR",
    b"(K\1K\1\x85cnumpy\ndtype\n(X\2\0\0\0f4K\0K\1tRK\0C\4\0\0\0\0tb",
    b"(K\1K\1\x85cnumpy\ndtype\n(X\2\0\0\0O8K\0K\1tRK\0](K\1etb",
]


def fuzz_opcodes(data: bytes) -> None:
    """Let each byte choose a fragment of a pickle, so that complete arrays are frequent."""
    chosen = [FRAGMENTS[byte % len(FRAGMENTS)] for byte in data]
    fuzz_pickle(pickle.PROTO + b"\2" + b"".join(chosen) + pickle.STOP)


def fuzz_zip(data: bytes) -> None:
    """Read the bytes as a .npy.zip file."""
    path = SCRATCH / "file.npy.zip"
    path.write_bytes(data)
    try_read(lambda: npy.load_npy(path))


def fuzz_segments(data: bytes) -> None:
    """Let the first byte choose a segment format, and read the rest as its text."""
    kinds: list[segments.Format] = ["phn", "xlabel", "htk", "textgrid", "auto"]
    kinds += ["ctm", "csv", "seconds", "json", "festival"]
    suffix = (".phn", ".lab", ".TextGrid")[data[0] % 3 if data else 0]
    path = SCRATCH / f"file{suffix}"
    path.write_bytes(data[1:])
    kind = kinds[data[0] // 3 % len(kinds)] if data else "auto"
    try_read(lambda: segments.read_segments(path, kind, "phones", 16_000))


def fuzz_masters(data: bytes) -> None:
    """Let the first byte choose between .mlf and .ctm, and read each utterance in the rest."""
    path = SCRATCH / ("file.ctm" if data[:1] == b"\1" else "file.mlf")
    path.write_bytes(data[1:])
    kind: segments.Format = "ctm" if data[:1] == b"\1" else "mlf"

    def read() -> None:
        for part in list(master_files.index_master_file(path).values())[:10]:
            segments.read_segments(path, kind, "phones", 16_000, part)

    try_read(read)


def fuzz_scp(data: bytes) -> None:
    """Read the bytes as a Kaldi index; two archives that it may name exist."""
    path = SCRATCH / "feats.scp"
    path.write_bytes(data)
    try_read(lambda: read_index(path, SCRATCH))


TARGETS = {
    "npy": fuzz_npy,
    "pickle": fuzz_pickle,
    "opcodes": fuzz_opcodes,
    "zip": fuzz_zip,
    "segments": fuzz_segments,
    "masters": fuzz_masters,
    "scp": fuzz_scp,
}


def seeds(target: str) -> Iterator[bytes]:
    """Yield valid inputs to start from."""
    saved = [
        p.read_bytes()
        for p in sorted((TESTS / "unit/data/formats/object_arrays").glob("*/*.npy"))
    ]
    match target:
        case "npy":
            yield from saved
        case "pickle":
            for content in saved:
                yield content.partition(b"\n")[2]
        case "zip":
            for content in saved:
                for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA):
                    buffer = io.BytesIO()
                    with zipfile.ZipFile(buffer, "w", method) as archive:
                        archive.writestr("a.npy", content)
                    yield buffer.getvalue()
        case "segments":
            yield b"\0" + b"0 160 h#\n160 320 aa\n"
            yield b"\4" + b"signal a\n#\n0.1 121 h#\n0.2 121 aa\n"
            yield b"\7" + b"0 100000 sil\n100000 200000 aa\n"
            yield b"\x0b" + (
                b'File type = "ooTextFile"\nObject class = "TextGrid"\n\nxmin = 0\nxmax = 1\n'
                b"tiers? <exists>\nsize = 1\nitem []:\n item [1]:\n"
                b'  class = "IntervalTier"\n  name = "phones"\n  xmin = 0\n  xmax = 1\n'
                b"  intervals: size = 1\n  intervals [1]:\n"
                b'   xmin = 0\n   xmax = 1\n   text = "aa"\n'
            )
            yield b"\x0f" + b"u1 1 0 0.25 sil\nu1 1 0.25 0.5 aa 0.9\n"
            yield b"\x12" + b"start_s,end_s,phone\n0,0.25,sil\n0.25,0.5,aa\n"
            yield b"\x15" + b"0.0 0.25 sil\n0.25 0.5 aa\n"
            yield b"\x18" + b'{"words": [], "phones": [[0, 0.25, "sil"], [0.25, 0.5, "aa"]]}'
            yield b"\x18" + b'{"segments": [{"chars": [{"char": "a", "start": 0, "end": 1}]}]}'
            yield b"\x1b" + (
                b"EST_File utterance\nStream_Items\n1 name aa ; end 0.5 ;\n"
                b"End_of_Stream_Items\nRelation Segment ; ()\n1 1 0 0 0 0\nEnd_of_Relation\n"
            )
        case "masters":
            yield b'\0#!MLF!#\n"*/a.lab"\n0 100000 sil\n.\n"b.lab"\n0 100000 aa\n.\n'
            yield b"\1a 1 0 0.25 sil\nb 1 0 0.5 aa\n"
        case "scp":
            yield b"a a.ark:12\nb b.ark:12[0:3]\n"
        case _:
            yield bytes(range(64))


def main() -> None:
    """Fuzz the target, starting from its seeds; libFuzzer ends the process."""
    _, target, _, *flags = sys.argv
    for name in ("a.ark", "b.ark"):
        (SCRATCH / name).touch()
    inputs = SCRATCH / "inputs"
    inputs.mkdir()
    for i, seed in enumerate(seeds(target)):
        (inputs / str(i)).write_bytes(seed)
    for encoding in ("cp437", "utf-8-sig", "utf-16"):
        codecs.lookup(encoding)  # imports it now, before it is forbidden
    sys.addaudithook(watch)
    replayed = any(not flag.startswith("-") for flag in flags)
    atheris.Setup([target, *flags, *([] if replayed else [str(inputs)])], TARGETS[target])
    atheris.Fuzz()


if __name__ == "__main__":
    main()
