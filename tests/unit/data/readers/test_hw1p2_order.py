"""Test utterances follow the course's CSV file, which must list each of them once."""

from pathlib import Path

import pytest

from framesweep.data.readers.hw1p2_order import reorder
from framesweep.errors import DataError

FILES = {name: Path(name) for name in ("a.npy", "b.npy", "c.npy")}


def ordered(tmp_path, text):
    path = tmp_path / "test_order.csv"
    path.write_text(text, encoding="utf-8-sig")
    return list(reorder(dict(FILES), path))


@pytest.mark.parametrize(
    "text",
    ["file\nc.npy\na.npy\nb.npy\n", "index,file\r\n0,c\r\n1,a\r\n2,b\r\n", "x\nc\n\na\nb"],
)
def test_files_follow_the_column_file_or_the_only_one(tmp_path, text):
    assert ordered(tmp_path, text) == ["c.npy", "a.npy", "b.npy"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("id,name\n0,a\n", "must have a column `file`"),
        ("file\na\na\nb\n", "must list each file once"),
        ("file\na\nb\nx\n", "files of the test partition only; found"),
        ("file\na\n", "every file of the test partition; found '2 missing: b.npy, c.npy'"),
    ],
)
def test_other_orders_are_refused(tmp_path, text, message):
    with pytest.raises(DataError, match=message):
        ordered(tmp_path, text)
