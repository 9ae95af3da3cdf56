"""Each file is found, through links too, and links in circles end."""

import errno
import os

import pytest

from framesweep.data.readers.folder_walk import walk


def found(folder):
    return sorted(path.relative_to(folder).as_posix() for path in walk(folder))


@pytest.fixture
def folder(tmp_path):
    for name in ("a/one.wav", "b/two.wav", "b/.hidden", "three.wav"):
        (tmp_path / "root" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "root" / name).touch()
    return tmp_path / "root"


def test_all_files_but_hidden_ones_are_found(folder):
    assert found(folder) == ["a/one.wav", "b/two.wav", "three.wav"]


def test_link_to_a_folder_elsewhere_is_followed(folder, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "four.wav").touch()
    (folder / "linked").symlink_to(tmp_path / "elsewhere")
    assert "linked/four.wav" in found(folder)


@pytest.mark.parametrize("target", [".", "..", "../a"])
def test_link_upward_adds_no_file(folder, target):
    before = found(folder)
    (folder / "a" / "up").symlink_to(target)
    (folder / "a" / "again").symlink_to(target)
    assert found(folder) == before


def test_two_names_of_one_folder_may_be_two_splits(folder):
    (folder / "dev").symlink_to("b")
    assert {"b/two.wav", "dev/two.wav"} <= set(found(folder))


def test_folders_that_link_to_each_other_are_read_once_below_each_link(tmp_path):
    names = [f"f{i}" for i in range(12)]
    for name in names:
        (tmp_path / name).mkdir()
        (tmp_path / name / "x.wav").touch()
        for other in names:
            if other != name:
                (tmp_path / name / f"to-{other}").symlink_to(f"../{other}")
    # Along all paths without a repeated folder there would be over a hundred million files.
    assert len(found(tmp_path)) <= 12 * 12 * 12


def test_folder_that_cannot_be_read_is_passed_over_with_one_warning(
    folder, monkeypatch, caplog
):
    scan = os.scandir

    def refuse(path):
        if os.path.basename(path) == "a":  # noqa: PTH119
            raise PermissionError(errno.EACCES, "Permission denied")
        return scan(path)

    monkeypatch.setattr("os.scandir", refuse)
    assert found(folder) == found(folder) == ["b/two.wav", "three.wav"]
    expected = f"skipping a folder that cannot be read: {folder / 'a'} (Permission denied)"
    assert caplog.messages == [expected]
