"""Files are uploaded without the credentials in them."""

import pytest

from framesweep.tracking import scrubbed_files
from framesweep.tracking.scrubbed_files import without_credentials

SECRET, CLEAN = "see http://ann:s3cret@host\n", "see http://***@host\n"


def test_a_file_without_credentials_is_not_copied(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text("a: 1\n")
    with without_credentials(path) as found:
        assert found == path


def test_a_file_with_credentials_is_copied_under_its_name_and_stays_as_it_is(tmp_path):
    path = tmp_path / "train.log"
    path.write_text(SECRET)
    with without_credentials(path) as copy:
        assert (copy.name, copy.read_text()) == ("train.log", CLEAN)
        assert copy != path
    assert not copy.exists()
    assert path.read_text() == SECRET


def test_a_folder_is_copied_completely(tmp_path):
    folder = tmp_path / "report"
    (folder / "deep").mkdir(parents=True)
    (folder / "deep" / "train.log").write_text(SECRET)
    (folder / "curve.png").write_bytes(b"\x89PNG\xff")
    with without_credentials(folder) as copy:
        assert copy.name == "report"
        assert (copy / "deep" / "train.log").read_text() == CLEAN
        assert (copy / "curve.png").read_bytes() == b"\x89PNG\xff"
    assert (folder / "deep" / "train.log").read_text() == SECRET


@pytest.mark.parametrize(
    ("name", "content"),
    [("weights.bin", SECRET.encode()), ("odd.txt", b"\xff" + SECRET.encode())],
)
def test_files_that_are_not_text_are_unchanged(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content)
    with without_credentials(path) as found:
        assert found.read_bytes() == content


def test_a_very_large_text_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr(scrubbed_files, "MAX_TEXT_BYTES", 10)
    path = tmp_path / "large.log"
    path.write_text(SECRET)
    with without_credentials(path) as found:
        assert found == path
