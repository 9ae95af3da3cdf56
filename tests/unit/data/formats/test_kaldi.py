"""Kaldi's binary and text formats are read as kaldiio writes them; nothing in them is run."""

import os
import pickle
import struct

import kaldiio
import numpy as np
import pytest

from framesweep.data.formats.kaldi import (
    ArrayLocation,
    locate_labels,
    read_array,
    read_index,
    read_pairs,
    read_text_labels,
)
from framesweep.errors import DataError, UnsafeFileError

MATRIX = np.arange(20, dtype=np.float32).reshape(5, 4)
LABELS = np.array([3, 1, 2], dtype=np.int32)


@pytest.fixture
def index(tmp_path):
    """feats.scp, which lists a matrix and a vector in feats.ark."""
    kaldiio.save_ark(
        str(tmp_path / "feats.ark"),
        {"one": MATRIX, "two": LABELS},
        scp=str(tmp_path / "feats.scp"),
    )
    return tmp_path / "feats.scp"


def test_index_locates_every_array_in_order(index, tmp_path):
    locations = read_index(index, tmp_path)
    assert list(locations) == ["one", "two"]
    assert np.array_equal(read_array(locations["one"]), MATRIX)
    assert np.array_equal(read_array(locations["two"]), LABELS)


@pytest.mark.parametrize("method", [2, 3, 5, 6, 7])
def test_compressed_matrix_is_decompressed(tmp_path, method):
    top = {6: 255, 7: 1}.get(method, 19)  # what the method can represent
    kaldiio.save_ark(
        str(tmp_path / "a.ark"), {"one": MATRIX / 19 * top}, compression_method=method
    )
    found = read_array(ArrayLocation(tmp_path / "a.ark", 4, slice(None)))
    assert np.abs(found - MATRIX / 19 * top).max() < top / 100


def test_last_row_of_a_range_is_included(index, tmp_path):
    first = index.read_text().splitlines()[0]
    index.write_text(first + "[1:3]\n")
    (location,) = read_index(index, tmp_path).values()
    assert np.array_equal(read_array(location), MATRIX[1:4])


def test_file_without_an_offset_is_read_from_its_start(tmp_path):
    (tmp_path / "a.mat").write_text("[ 1 2\n 3 4 ]\n")
    (tmp_path / "a.scp").write_text("one a.mat\n")
    (location,) = read_index(tmp_path / "a.scp", tmp_path).values()
    assert read_array(location).tolist() == [[1, 2], [3, 4]]


def test_relative_archive_is_found_in_root_then_beside_the_index(index, tmp_path):
    (tmp_path / "sub").mkdir()
    moved = tmp_path / "sub" / "feats.scp"
    moved.write_text("one feats.ark:4\n")
    assert read_index(moved, tmp_path)["one"].file == tmp_path / "feats.ark"
    beside = tmp_path / "sub" / "feats.ark"
    beside.write_bytes((tmp_path / "feats.ark").read_bytes())
    assert read_index(moved, tmp_path)["one"].file == tmp_path / "feats.ark"
    (tmp_path / "feats.ark").unlink()
    assert read_index(moved, tmp_path)["one"].file == beside


@pytest.mark.parametrize("entry", ["touch {} |", "| touch {}"])
def test_command_in_an_index_is_refused(tmp_path, entry):
    target = tmp_path / "ran"
    (tmp_path / "a.scp").write_text(f"one {entry.format(target)}\n")
    with pytest.raises(
        UnsafeFileError, match=r"utterance one: must name archives, not command"
    ):
        read_index(tmp_path / "a.scp", tmp_path)
    assert not target.exists()


def test_pickle_in_an_archive_is_refused(tmp_path):
    class Evil:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "ran"),)

    (tmp_path / "a.ark").write_bytes(b"one PKL" + pickle.dumps(Evil()))
    with pytest.raises(UnsafeFileError, match="found 'a pickle'"):
        read_array(ArrayLocation(tmp_path / "a.ark", 4, slice(None)))
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    "content", [b"", b"one RIFFxxxx", b"one \x93NUMPY", b"one \0BFM \4\5\0", b"one \0BXX "]
)
def test_damaged_or_other_content_is_refused(tmp_path, content):
    (tmp_path / "a.ark").write_bytes(content)
    with pytest.raises(DataError, match=r"a\.ark, byte 4: must be a") as raised:
        read_array(ArrayLocation(tmp_path / "a.ark", 4, slice(None)))
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    "header",
    [
        b"FM \4%b\4%b",
        b"DM \4%b\4%b",
        b"CM " + bytes(8) + b"%b%b",
        b"CM2 " + bytes(8) + b"%b%b",
        b"CM3 " + bytes(8) + b"%b%b",
        b"FV \4%b",
        b"\4%b",
    ],
)
@pytest.mark.parametrize("size", [-1, 2**30, 2**31 - 1])
def test_a_size_beyond_the_file_is_damage_and_no_lack_of_memory(tmp_path, header, size):
    sizes = (struct.pack("<i", size),) * header.count(b"%b")
    (tmp_path / "a.ark").write_bytes(b"one \0B" + header % sizes)
    with pytest.raises(DataError, match=r"a\.ark, byte 4: must be a complete matrix or"):
        read_array(ArrayLocation(tmp_path / "a.ark", 4, slice(None)))


@pytest.mark.parametrize(
    ("text", "expected"),
    [("5 \n", [5]), ("5", [5]), ("[1]", [1]), ("[ 7 ]\n", [7]), ("0 12 3 \n", [0, 12, 3])],
)
def test_a_text_vector_is_read_wherever_it_is_in_the_archive(tmp_path, text, expected):
    for start in ("", "u1 ", "u1 9 \nu2 "):
        (tmp_path / "a.ark").write_text(start + text)
        found = read_array(ArrayLocation(tmp_path / "a.ark", len(start), slice(None)))
        assert found.tolist() == expected


@pytest.mark.parametrize("text", ["99999999999", "1 x", "[ 1", "[ 1 2\n 3 ]\n"])
def test_a_text_that_is_no_vector_is_refused(tmp_path, text):
    (tmp_path / "a.ark").write_text(text)
    with pytest.raises(DataError, match=r"a\.ark, byte 0: must be"):
        read_array(ArrayLocation(tmp_path / "a.ark", 0, slice(None)))


def test_an_offset_beyond_any_file_is_refused(tmp_path):
    (tmp_path / "a.ark").write_text("5 \n")
    for offset in (100, 10**30):
        with pytest.raises(DataError, match=rf"a\.ark, byte {offset}: must be"):
            read_array(ArrayLocation(tmp_path / "a.ark", offset, slice(None)))


@pytest.mark.parametrize("name", ["none.ark", "n" * 300, "a/" * 3000, "a\0b"])
def test_missing_or_impossible_archive_is_refused(tmp_path, name):
    (tmp_path / "a.scp").write_text(f"one {name}:12\n")
    with pytest.raises(DataError, match="must name archives that exist"):
        read_index(tmp_path / "a.scp", tmp_path)


def test_text_labels_are_located_and_read(tmp_path):
    path = tmp_path / "ali.txt"
    path.write_text("one 3 1 2\n\nzwölf 7\n", encoding="utf-8")
    locations = locate_labels(path, tmp_path)
    assert locations == {"one": 0, "zwölf": len(b"one 3 1 2\n\n")}
    assert read_text_labels(path, 0).tolist() == [3, 1, 2]
    assert read_text_labels(path, len(b"one 3 1 2\n\n")).tolist() == [7]


def test_a_byte_order_mark_is_no_part_of_the_first_id(index, tmp_path):
    index.write_text(index.read_text(), encoding="utf-8-sig")
    assert list(read_index(index, tmp_path)) == ["one", "two"]
    path = tmp_path / "ali.txt"
    for start in ("", "\n"):
        path.write_text(f"{start}one 3 1\ntwo 2\n", encoding="utf-8-sig")
        locations = locate_labels(path, tmp_path)
        assert list(locations) == ["one", "two"]
        one, two = locations["one"], locations["two"]
        assert isinstance(one, int)
        assert isinstance(two, int)
        assert read_text_labels(path, one).tolist() == [3, 1]
        assert read_text_labels(path, two).tolist() == [2]


def test_labels_in_an_index_are_located_as_arrays(index, tmp_path):
    assert locate_labels(index, tmp_path) == read_index(index, tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"one 1\none 2\n", "must list each utterance once; found 'one'"),
        (b"\x1f\x8b\0\0", "must be text.*Decompress it, or use an .scp"),
    ],
)
def test_unusable_text_labels_are_refused(tmp_path, content, message):
    (tmp_path / "ali.txt").write_bytes(content)
    with pytest.raises(DataError, match=message):
        locate_labels(tmp_path / "ali.txt", tmp_path)
    with pytest.raises(DataError, match=r"must exist.*data\.alignments"):
        locate_labels(tmp_path / "none.txt", tmp_path)


@pytest.mark.parametrize("label", ["x", "1.5", "9" * 30])
def test_label_that_is_not_an_integer_is_refused(tmp_path, label):
    (tmp_path / "ali.txt").write_text(f"one 1 {label}\n")
    with pytest.raises(DataError, match="utterance one: labels must be integers"):
        read_text_labels(tmp_path / "ali.txt", 0)


def test_pairs_keep_their_order_and_spaces_in_values(tmp_path):
    (tmp_path / "utt2spk").write_text("b  two words \n\na x\n")
    assert list(read_pairs(tmp_path / "utt2spk").items()) == [("b", "two words"), ("a", "x")]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a x\nb\n", "line 2: must be `KEY VALUE`; found 'b'"),
        (b"a x\na y\n", "line 2: must not repeat a key; found 'a'"),
        (b"a \xff\n", "must be a readable text file"),
    ],
)
def test_malformed_pairs_are_refused(tmp_path, content, message):
    (tmp_path / "utt2spk").write_bytes(content)
    with pytest.raises(DataError, match=message):
        read_pairs(tmp_path / "utt2spk")
