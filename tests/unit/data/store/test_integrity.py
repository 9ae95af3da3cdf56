"""The checksum of a file that is being written, and the error of a damaged one."""

import pytest

from framesweep.data.store.integrity import ChecksumFile, damaged, verify
from framesweep.errors import DataError
from framesweep.system.checksums import checksum_file, write_checksums


def test_the_checksum_of_what_was_written_is_that_of_the_file(tmp_path):
    with ChecksumFile(tmp_path / "rows") as file:
        for part in (b"abc", b"", b"\0" * 1000):
            file.write(part)
    assert (tmp_path / "rows").read_bytes() == b"abc" + b"\0" * 1000
    assert file.checksum == checksum_file(tmp_path / "rows")


def test_a_file_that_the_disk_stored_wrongly_is_noticed_when_it_is_read(tmp_path):
    with ChecksumFile(tmp_path / "dev.rows") as file:
        file.write(b"right")
    (tmp_path / "dev.rows").write_bytes(b"wrong")
    write_checksums(tmp_path, {"dev.rows": file.checksum})
    with pytest.raises(DataError, match=r"dev\.rows: must be as it was written"):
        verify(tmp_path, [".rows"])


def test_only_files_with_the_given_endings_are_compared(tmp_path):
    (tmp_path / "dev.rows").write_bytes(b"right")
    write_checksums(tmp_path)
    (tmp_path / "dev.rows").write_bytes(b"wrong")
    verify(tmp_path, [".labels"])


def test_the_error_names_the_file_and_the_folder_to_delete(tmp_path):
    error = damaged(tmp_path / "view" / "dev.rows", "it is short", tmp_path / "view")
    assert str(error) == (
        f"{tmp_path}/view/dev.rows: must be as it was written, but it is short. "
        f"Delete {tmp_path}/view; it will be created again."
    )
