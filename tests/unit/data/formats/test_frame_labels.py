"""Labels per frame are read from arrays and text, as numbers and as names."""

import numpy as np
import pytest

from framesweep.data.formats.frame_labels import read_frame_labels
from framesweep.data.formats.master_files import index_master_file
from framesweep.errors import DataError


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (np.array([3, 0, 12]), ["3", "0", "12"]),
        (np.array(["sil", "aa "]), ["sil", "aa"]),
        (np.array(["sil", "a\u0303"], dtype=object), ["sil", "\u00e3"]),
    ],
)
def test_array_of_numbers_or_names_is_read(tmp_path, array, expected):
    np.save(tmp_path / "a.npy", array)
    assert read_frame_labels(tmp_path / "a.npy") == expected


def test_text_is_read_for_one_utterance_or_a_part_for_each_of_many(tmp_path):
    (tmp_path / "a.txt").write_text("sil sil\naa\n", encoding="utf-8-sig")
    assert read_frame_labels(tmp_path / "a.txt") == ["sil", "sil", "aa"]
    path = tmp_path / "labels.txt"
    path.write_text("u1 0 0 3\nu2 12\n")
    found = {id: read_frame_labels(path, part) for id, part in index_master_file(path).items()}
    assert found == {"u1": ["0", "0", "3"], "u2": ["12"]}


@pytest.mark.parametrize(
    "array", [np.zeros(2), np.zeros((2, 2), int), np.array([None, "a"], dtype=object)]
)
def test_other_arrays_are_refused(tmp_path, array):
    np.save(tmp_path / "a.npy", array)
    with pytest.raises(DataError, match=r"must contain .*integers or names"):
        read_frame_labels(tmp_path / "a.npy")


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"\n", "at least one label"), (b"\xff", "must be a readable text file")],
)
def test_other_texts_are_refused(tmp_path, content, message):
    (tmp_path / "a.txt").write_bytes(content)
    with pytest.raises(DataError, match=message):
        read_frame_labels(tmp_path / "a.txt")
