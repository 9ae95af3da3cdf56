"""Files of every numpy version are read; damaged ones are refused in one line."""

import struct
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from framesweep.data.formats.npy import find_npy, load_npy, open_npy, read_header
from framesweep.errors import DataError, UnsafeFileError
from npy_files import npy_bytes, refused, zipped

GENERATIONS = sorted(
    path for path in (Path(__file__).parent / "object_arrays").iterdir() if path.is_dir()
)
FEATURES = np.arange(6).reshape(3, 2) / 4.0


def with_header(header: str, content: bytes = b"", version: int = 1) -> bytes:
    size = struct.pack("<H" if version == 1 else "<I", len(header))
    return b"\x93NUMPY" + bytes([version, 0]) + size + header.encode() + content


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "file.npy"


def test_files_of_four_generations_are_tested() -> None:
    assert [path.name.split("-")[0] for path in GENERATIONS] == [
        "python2.7",
        "python3.11",
        "python3.6",
        "python3.9",
    ]


@pytest.mark.parametrize("folder", GENERATIONS, ids=lambda folder: folder.name)
class TestFileOfAnyNumpyVersion:
    def test_features_are_read(self, folder: Path) -> None:
        items = load_npy(folder / "features.npy")
        assert [item.dtype for item in items] == ["f2", "f4", "f8", "f8"]
        expected = [FEATURES, FEATURES[:1], FEATURES[:0], FEATURES]
        for item, there in zip(items, expected, strict=True):
            np.testing.assert_array_equal(item, there)

    def test_labels_are_read(self, folder: Path) -> None:
        items = load_npy(folder / "labels.npy")
        assert [item.dtype for item in items] == ["i8", "u1", "i2"]
        assert [item.tolist() for item in items] == [[1, 2, 0], [5], [300]]

    def test_text_is_read(self, folder: Path) -> None:
        assert load_npy(folder / "text.npy").tolist() == ["[SOS]", "AA", "[EOS]"]

    def test_scalars_are_read(self, folder: Path) -> None:
        value, text = load_npy(folder / "scalars.npy")
        assert (value, value.dtype, text) == (1.5, np.float32, "AA")

    def test_plain_array_is_read(self, folder: Path) -> None:
        array = load_npy(folder / "plain.npy")
        assert array.dtype == np.float32
        np.testing.assert_array_equal(array, FEATURES)


ARRAYS = hnp.arrays(
    st.one_of(
        hnp.floating_dtypes(sizes=(16, 32, 64)),
        hnp.integer_dtypes(),
        hnp.unsigned_integer_dtypes(),
        hnp.unicode_string_dtypes(min_len=1, max_len=5),
    ),
    hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4),
)


@pytest.mark.parametrize("ending", ["npy", "npy.zip"])
@given(array=ARRAYS, fortran=st.booleans())
def test_plain_array_is_returned_in_native_byte_order(
    tmp_path_factory: pytest.TempPathFactory, ending: str, array: Any, fortran: bool
) -> None:
    path = tmp_path_factory.getbasetemp() / f"plain.{ending}"
    saved = npy_bytes(np.asfortranarray(array) if fortran else array)
    path.unlink(missing_ok=True)
    if ending == "npy":
        path.write_bytes(saved)
    else:
        zipped(path, {"any name.npy": saved})
    back = load_npy(path)
    assert back.dtype == array.dtype.newbyteorder("=")
    assert back.flags.aligned
    assert back.flags.c_contiguous
    np.testing.assert_array_equal(back, array)


@pytest.mark.parametrize("version", [1, 2, 3])
def test_every_version_of_the_format_is_read(file: Path, version: int) -> None:
    header = "{'descr': '<i2', 'fortran_order': False, 'shape': (2L,), }\n"
    file.write_bytes(with_header(header, b"\1\0\2\0", version))
    assert load_npy(file).tolist() == [1, 2]


@pytest.mark.parametrize("shape", ["(2, 1)", "(2L, 1L)", "(2,1,)", "( 2 , 1 )"])
def test_every_spelling_of_a_shape_is_read(shape: str) -> None:
    header = f"{{'descr': '<i2', 'fortran_order': False, 'shape': {shape}, }}"
    assert read_header(memoryview(with_header(header)), "file").shape == (2, 1)


def test_header_in_another_order_and_spacing_is_read() -> None:
    header = '{"shape":(2, 3),"fortran_order":False,"descr":"|u1"}'
    read = read_header(memoryview(with_header(header)), "file")
    assert (read.shape, read.dtype) == ((2, 3), np.uint8)


@pytest.mark.parametrize(
    ("descr", "order", "shape"),
    [
        ("'<f4'", "False", "(" * 90 + ")" * 90),
        ("'<f4'", "False", "(9,) * 10**9"),
        ("'<f4'", "False", "(-1,)"),
        ("'<f4'", "False", "(1.5,)"),
        ("'<f4'", "False", "(1_0,)"),
        ("'<f4'", "False", "(1 2,)"),
        ("'<f4'", "False", f"({'5' * 90})"),
        ("'<f4'", "False", f"({'5' * 9000}"),
        ("'<f4'", "False", f"({'5, ' * 3000}"),
        ("'<f4'", "False", "3"),
        ("'<f4'", "__import__('os')", "(1,)"),
        ("[('a', '<f4')]", "False", "(1,)"),
        ("'<c8'", "False", "(1,)"),
        ("'<f4,O'", "False", "(1,)"),
        ("'|V4'", "False", "(1,)"),
        ("'<U0'", "False", "(1,)"),
        ("__import__('os').mkdir('ran')", "False", "(1,)"),
    ],
)
def test_odd_header_is_refused(file: Path, descr: str, order: str, shape: str) -> None:
    header = f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}\n"
    refused(file, with_header(header, bytes(64)))


def test_zero_byte_file_is_refused(file: Path) -> None:
    assert "must not be empty" in refused(file, b"")


def test_missing_file_and_folder_are_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "none.npy", tmp_path):
        with pytest.raises(DataError, match="must be a file"):
            load_npy(path)


@pytest.mark.parametrize("content", [b"\x93NUMPY", b"\x93NUMPY\x09\0", b"PK\3\4 no array here"])
def test_file_of_another_format_is_refused(file: Path, content: bytes) -> None:
    assert "must be an .npy file" in refused(file, content)


@pytest.mark.parametrize("size", [10_001, 2**31, 2**32 - 1])
def test_huge_header_is_refused(file: Path, size: int) -> None:
    content = b"\x93NUMPY\x02\0" + struct.pack("<I", size) + b" " * 20_000
    assert "the header must have at most 10000 bytes and end within" in refused(file, content)


@pytest.mark.parametrize("shape", ["(999999999999999999,)", "(3, 999999999999999999)", "(2,)"])
def test_shape_beyond_the_content_is_refused_without_allocating(file: Path, shape: str) -> None:
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}\n"
    tracemalloc.start()
    message = refused(file, with_header(header, bytes(4)))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert "the number of bytes must match the array's shape" in message
    assert peak < 1_000_000


@pytest.mark.parametrize("kept", [0.1, 0.5, 0.9, 0.999])
@pytest.mark.parametrize("array", [FEATURES, np.array([FEATURES, FEATURES[:2]], dtype=object)])
def test_truncated_file_is_refused(file: Path, array: Any, kept: float) -> None:
    content = npy_bytes(array)
    refused(file, content[: int(kept * len(content))])


@pytest.mark.parametrize("array", [FEATURES, np.array([FEATURES, FEATURES[:2]], dtype=object)])
def test_bytes_after_the_end_are_refused(file: Path, array: Any) -> None:
    refused(file, npy_bytes(array) * 2)


def test_header_that_contradicts_the_pickle_is_refused(file: Path) -> None:
    content = npy_bytes(np.array([FEATURES, FEATURES[:2]], dtype=object))
    assert "as its header declares" in refused(file, content.replace(b"(2,)", b"(3,)", 1))


def test_hostile_object_is_refused(file: Path, tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> Any:
            return Path.mkdir, (tmp_path / "ran",)

    file.write_bytes(npy_bytes(np.array([FEATURES, Evil()], dtype=object)))
    with pytest.raises(UnsafeFileError, match="numpy arrays only"):
        load_npy(file)
    assert not (tmp_path / "ran").exists()
    np.load(file, allow_pickle=True)
    assert (tmp_path / "ran").exists()


def test_plain_file_is_found_before_its_zip(tmp_path: Path) -> None:
    assert find_npy(tmp_path, "a") is None
    (tmp_path / "a.npy.zip").touch()
    assert find_npy(tmp_path, "a") == tmp_path / "a.npy.zip"
    (tmp_path / "a.npy").touch()
    assert find_npy(tmp_path, "a") == tmp_path / "a.npy"


def test_open_npy_returns_the_content(file: Path) -> None:
    file.write_bytes(b"content")
    assert bytes(open_npy(file)) == b"content"
