"""Paths stay inside the root, and phone lists are read in every common form."""

import os
from pathlib import Path, PureWindowsPath

import pytest

from framesweep.data.readers.source_files import (
    find_phones,
    is_number,
    leads_out,
    name_classes,
    read_phones,
    resolve_inside,
    resolve_root,
    stamp_files,
)
from framesweep.errors import ConfigError, DataError


def test_root_must_be_given_and_exist(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"data\.root: must name the folder of the corpus"):
        resolve_root(None)
    (tmp_path / "file").touch()
    for missing in (tmp_path / "none", tmp_path / "file"):
        with pytest.raises(DataError, match=r"data\.root: must be an existing folder"):
            resolve_root(str(missing))
    assert resolve_root(str(tmp_path)) == tmp_path


def test_root_becomes_absolute_and_may_start_with_a_tilde(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "corpus").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert resolve_root("corpus") == resolve_root("~/corpus") == tmp_path / "corpus"


@pytest.mark.parametrize("name", ["", "..", "../other", "a/../../b", "/etc"])
def test_path_that_leads_out_of_the_root_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(
        ConfigError, match=r"data\.test_order: must be a relative path inside data\.root"
    ):
        resolve_inside(tmp_path, name, "data.test_order")


def test_path_inside_the_root_is_accepted(tmp_path: Path) -> None:
    assert resolve_inside(tmp_path, "a/b", "data.test_order") == tmp_path / "a" / "b"


def test_stamps_are_size_and_modification_time(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"12")
    os.utime(path, ns=(5, 7))
    assert stamp_files([path, None]) == {str(path): (2, 7)}


def test_phones_are_found_in_the_named_file_else_in_the_root(tmp_path: Path) -> None:
    assert find_phones(tmp_path, None) is None
    default, other = tmp_path / "phonemes.txt", tmp_path / "other.txt"
    default.touch()
    assert find_phones(tmp_path, None) == default
    with pytest.raises(DataError, match=r"data\.phones: must be an existing file"):
        find_phones(tmp_path, str(other))
    other.touch()
    assert find_phones(tmp_path, str(other)) == other


def test_plain_list_of_phones_is_read_in_its_order(tmp_path: Path) -> None:
    (tmp_path / "phones.txt").write_text("[SIL]\n\nAA \nB\n")
    assert read_phones(tmp_path / "phones.txt").names == ("[SIL]", "AA", "B")


def test_phones_are_read_in_the_order_of_their_ids(tmp_path: Path) -> None:
    path = tmp_path / "phonemes.txt"
    path.write_bytes("\ufeffAA\t1\r\n\r\n[SIL] 0\r\n é  2".encode())
    assert read_phones(path).names == ("[SIL]", "AA", "é")


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        (b"", "must list each id exactly once"),
        (b"AA 0\nAE 0\n", "must list each id exactly once"),
        (b"AA 0\nAE 2\n", "ids must be 0, 1, 2"),
        (b"AA 0\nAA 1\n", "names must be unique"),
        (b"AA 0\nAE\n", "line 2: must be `PHONE ID`"),
        (b"0 AA\n", "line 1: must be `PHONE ID`"),
        (b"AA -1\n", "line 1: must be `PHONE ID`"),
        ("AA \u0663\n".encode(), "line 1: must be `PHONE ID`"),
        (b"\xff\xfe 0\n", "must be a readable text file"),
    ],
)
def test_malformed_phone_list_is_refused(tmp_path: Path, content: bytes, rule: str) -> None:
    path = tmp_path / "phonemes.txt"
    path.write_bytes(content)
    with pytest.raises(DataError, match=rule) as raised:
        read_phones(path)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("content", ["a\nb\na\n", "a 0\nb 1\na 2\n", "\u00e9\ne\u0301\n"])
def test_the_file_of_a_repeated_phone_is_named(tmp_path, content):
    path = tmp_path / "phonemes.txt"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(
        DataError, match=r"phonemes\.txt: names must be unique; found"
    ) as raised:
        read_phones(path)
    assert str(raised.value).startswith(str(path))


def test_name_inside_the_root_is_found_in_another_unicode_form(tmp_path):
    (tmp_path / "Jose\u0301" / "wav").mkdir(parents=True)
    found = resolve_inside(tmp_path, "Jos\u00e9/wav", "data.audio")
    assert found == tmp_path / "Jose\u0301" / "wav"
    assert resolve_inside(tmp_path, "Jos\u00e9/*", "data.audio").name == "*"
    assert resolve_inside(tmp_path, "none/x", "data.audio") == tmp_path / "none" / "x"


def test_classes_are_named_by_a_file_or_by_their_numbers(tmp_path: Path) -> None:
    assert name_classes(find_phones(tmp_path, None), 3).names == ("0", "1", "2")
    (tmp_path / "phonemes.txt").write_text("sil\naa\n")
    assert name_classes(find_phones(tmp_path, None), 2).names == ("sil", "aa")
    with pytest.raises(DataError, match="must name all 3 classes"):
        name_classes(find_phones(tmp_path, None), 3)


@pytest.mark.parametrize(
    "name", ["C:a", "C:\\a", "\\a", "\\\\server\\share\\a", "a\\..\\b", "/a"]
)
def test_a_path_of_windows_with_a_drive_or_a_root_leads_out(name):
    assert leads_out(PureWindowsPath(name))


@pytest.mark.parametrize("name", ["a", "a\\b", "a/b", "a b"])
def test_a_relative_path_of_windows_stays_inside(name):
    assert not leads_out(PureWindowsPath(name))


def test_only_ascii_digits_are_a_class_number():
    names = ("12", "\u0663", "\u00b2", "aa", "-1", "")
    assert [is_number(name) for name in names] == [True] + 5 * [False]
