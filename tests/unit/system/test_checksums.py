"""Checksums: what is damaged is named, and what is intact is read no more often than needed."""

import json
import os

import pytest

from framesweep.system import checksums
from framesweep.system.checksums import (
    CHECKSUMS_FILE,
    DamagedFileError,
    checksum,
    checksum_file,
    dump_json,
    load_json,
    verify_folder,
    write_checksums,
)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "rows").write_bytes(bytes(range(256)) * 10)
    (tmp_path / "lengths").write_bytes(b"12345678")
    write_checksums(tmp_path)
    return tmp_path


@pytest.fixture
def large_rows(monkeypatch):
    """Treat `rows` as a large file."""
    monkeypatch.setattr(checksums, "SMALL_BYTES", 100)


def damage(path, *, keep_time: bool):
    before = path.stat()
    content = bytearray(path.read_bytes())
    content[7] ^= 1
    path.write_bytes(content)
    if keep_time:
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def test_a_checksum_is_that_of_the_contents(tmp_path):
    """The CRC-32 of "123456789" is published as the check value of the algorithm."""
    (tmp_path / "file").write_bytes(b"123456789")
    assert checksum(b"123456789") == checksum_file(tmp_path / "file") == "cbf43926"


@pytest.mark.parametrize("name", ["rows", "lengths"])
def test_a_damaged_small_file_is_named_even_if_its_time_is_unchanged(folder, name):
    damage(folder / name, keep_time=True)
    with pytest.raises(DamagedFileError, match="checksum differs") as caught:
        verify_folder(folder, ["rows", "lengths"])
    assert caught.value.path == folder / name


def test_a_file_of_another_size_or_a_missing_one_is_named(folder):
    (folder / "rows").write_bytes(b"short")
    with pytest.raises(DamagedFileError, match="should have 2560 bytes, but has 5"):
        verify_folder(folder, ["rows"])
    (folder / "rows").unlink()
    with pytest.raises(DamagedFileError, match="should have 2560 bytes, but has 0"):
        verify_folder(folder, ["rows"])


def test_a_large_file_is_compared_if_its_time_has_changed_or_on_request(folder, large_rows):
    damage(folder / "rows", keep_time=True)
    verify_folder(folder, ["rows"])
    with pytest.raises(DamagedFileError):
        verify_folder(folder, ["rows"], full=True)
    (folder / "rows").touch()
    with pytest.raises(DamagedFileError):
        verify_folder(folder, ["rows"])


def test_an_intact_large_file_with_another_time_is_compared_only_once(
    folder, large_rows, monkeypatch
):
    os.utime(folder / "rows", ns=(1, 1))
    verify_folder(folder, ["rows"])
    monkeypatch.setattr(checksums, "checksum_file", lambda path: pytest.fail("read again"))
    verify_folder(folder, ["rows"])


def test_a_folder_of_an_earlier_version_is_accepted(tmp_path):
    (tmp_path / "rows").write_bytes(b"anything")
    verify_folder(tmp_path, ["rows"], full=True)


def test_damaged_checksums_are_named_themselves(folder):
    index = folder / CHECKSUMS_FILE
    index.write_text(index.read_text().replace('"size": 8', '"size": 9'))
    with pytest.raises(DamagedFileError, match="checksum differs") as caught:
        verify_folder(folder, ["rows"])
    assert caught.value.path == index


def test_files_that_are_not_asked_for_are_not_compared(folder):
    damage(folder / "rows", keep_time=False)
    verify_folder(folder, ["lengths"])


def test_json_is_restored_and_its_damage_noticed():
    text = dump_json({"run_id": "abc", "mean": [0.1, 1e-9], "name": "ß"})
    assert load_json(text) == {"run_id": "abc", "mean": [0.1, 1e-9], "name": "ß"}
    with pytest.raises(ValueError, match="damaged"):
        load_json(text.replace("abc", "abd"))
    assert load_json('{"run_id": "abc"}') == {"run_id": "abc"}


@pytest.mark.parametrize("text", ["[]", "3", "{", "", "null"])
def test_json_that_is_no_object_is_refused(text):
    with pytest.raises(ValueError, match=r"."):
        load_json(text)


def test_json_with_a_checksum_is_plain_json():
    assert json.loads(dump_json({"a": 1}))["a"] == 1
