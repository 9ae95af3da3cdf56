import os
from pathlib import Path

import pytest

from framesweep.data.readers.source_files import (
    find_phones,
    inside,
    open_root,
    read_phones,
    stamps,
)
from framesweep.errors import ConfigError, DataError


def test_root_must_be_given_and_exist(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"data\.root: must name the corpus's folder"):
        open_root(None)
    (tmp_path / "file").touch()
    for missing in (tmp_path / "none", tmp_path / "file"):
        with pytest.raises(DataError, match=r"data\.root: must be a folder that exists"):
            open_root(str(missing))
    assert open_root(str(tmp_path)) == tmp_path


def test_root_is_made_absolute_and_may_start_at_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "corpus").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert open_root("corpus") == open_root("~/corpus") == tmp_path / "corpus"


@pytest.mark.parametrize("name", ["", "..", "../other", "a/../../b", "/etc"])
def test_name_that_leads_out_of_the_root_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(
        ConfigError, match=r"data\.test_order: must be a name inside data\.root"
    ):
        inside(tmp_path, name, "data.test_order")


def test_name_inside_the_root(tmp_path: Path) -> None:
    assert inside(tmp_path, "a/b", "data.test_order") == tmp_path / "a" / "b"


def test_stamps_change_with_size_and_time(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"12")
    os.utime(path, ns=(5, 7))
    assert stamps([path, None]) == {str(path): (2, 7)}


def test_phones_are_found_where_named_else_in_the_root(tmp_path: Path) -> None:
    assert find_phones(tmp_path, None) is None
    default, other = tmp_path / "phonemes.txt", tmp_path / "other.txt"
    default.touch()
    assert find_phones(tmp_path, None) == default
    with pytest.raises(DataError, match=r"data\.phones: must be a file that exists"):
        find_phones(tmp_path, str(other))
    other.touch()
    assert find_phones(tmp_path, str(other)) == other


def test_phones_are_read_in_the_order_of_their_ids(tmp_path: Path) -> None:
    path = tmp_path / "phonemes.txt"
    path.write_bytes("\ufeffAA\t1\r\n\r\n[SIL] 0\r\n é  2".encode())
    assert read_phones(path).names == ("[SIL]", "AA", "é")


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        (b"", "must list each id once"),
        (b"AA 0\nAE 0\n", "must list each id once"),
        (b"AA 0\nAE 2\n", "ids must run 0, 1, 2"),
        (b"AA 0\nAA 1\n", "names must differ"),
        (b"AA 0\nAE\n", "line 2: must be `PHONE id`"),
        (b"0 AA\n", "line 1: must be `PHONE id`"),
        (b"AA -1\n", "line 1: must be `PHONE id`"),
        ("AA \u0663\n".encode(), "line 1: must be `PHONE id`"),
        (b"\xff\xfe 0\n", "must be a readable text file"),
    ],
)
def test_bad_phone_list_is_refused(tmp_path: Path, content: bytes, rule: str) -> None:
    path = tmp_path / "phonemes.txt"
    path.write_bytes(content)
    with pytest.raises(DataError, match=rule) as raised:
        read_phones(path)
    assert "\n" not in str(raised.value)
