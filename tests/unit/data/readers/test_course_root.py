"""Course data is found in a folder, in a folder around it, and in a zip file."""

import zipfile

import numpy as np
import pytest

from framesweep.config import Hw1p2Config, Hw1p2FoldersConfig
from framesweep.config.readers.ntu import LibriphoneConfig, Timit11Config
from framesweep.data.formats.npy import find_npy, load_npy
from framesweep.data.readers.course_root import (
    describe_other_course,
    join_inside,
    open_course_root,
    stamp_course_files,
)
from framesweep.data.readers.hw1p2 import Hw1p2Corpus
from framesweep.data.readers.hw1p2_folders import Hw1p2FoldersCorpus
from framesweep.data.readers.libriphone import LibriphoneCorpus
from framesweep.data.readers.timit_11 import Timit11Corpus
from framesweep.errors import ConfigError, DataError


def holds_data(folder):
    return find_npy(folder, "train") is not None


def make_folder(path):
    path.mkdir(parents=True)
    np.save(path / "train.npy", np.arange(3))
    (path / ".DS_Store").write_bytes(b"x")
    return path


def make_zip(tmp_path, top="", method=zipfile.ZIP_DEFLATED):
    folder = make_folder(tmp_path / "source")
    path = tmp_path / "course.zip"
    with zipfile.ZipFile(path, "w", method) as archive:
        for file in folder.iterdir():
            archive.write(file, top + file.name)
        archive.writestr("__MACOSX/train.npy", b"metadata")
    return path


@pytest.mark.parametrize("inside", ["", "11785-f24-hw1p2", "input/11785-s26-hw1p2"])
def test_folder_of_the_data_is_found_within_data_root(tmp_path, inside):
    folder = make_folder(tmp_path / "root" / inside)
    assert open_course_root(str(tmp_path / "root"), holds_data) == folder


@pytest.mark.parametrize("top", ["", "11785-f24-hw1p2/", "input/11785-s26-hw1p2/"])
def test_zip_file_is_read_in_place(tmp_path, top):
    path = make_zip(tmp_path, top)
    before = sorted(tmp_path.rglob("*"))
    root = open_course_root(str(path), holds_data)
    file = find_npy(root, "train")
    assert load_npy(file).tolist() == [0, 1, 2]
    stamps = stamp_course_files([file, None, path])
    assert (
        stamps[f"{path}/{top}train.npy"][1] == stamps[str(path)][1] == path.stat().st_mtime_ns
    )
    assert sorted(tmp_path.rglob("*")) == before


def test_data_of_two_courses_is_refused(tmp_path):
    for name in ("f24", "s25"):
        make_folder(tmp_path / "root" / name)
    with pytest.raises(DataError, match=r"data of one course; found .*f24, .*s25\. Set"):
        open_course_root(str(tmp_path / "root"), holds_data)


def test_folder_without_the_data_is_left_to_the_reader(tmp_path):
    assert open_course_root(str(tmp_path), holds_data) == tmp_path
    with pytest.raises(ConfigError, match=r"data\.root"):
        open_course_root(None, holds_data)


def test_file_that_is_no_zip_file_is_refused_in_one_line(tmp_path):
    (tmp_path / "course.zip").write_bytes(b"<html>Sign in to download</html>")
    with pytest.raises(
        DataError, match=r"data\.root: must be a folder .* may be incomplete\.$"
    ):
        open_course_root(str(tmp_path / "course.zip"), holds_data)


def test_damaged_file_in_a_zip_file_is_one_clear_line(tmp_path):
    path = make_zip(tmp_path, method=zipfile.ZIP_STORED)
    content = path.read_bytes()
    path.write_bytes(content.replace(b"NUMPY", b"NUMPX", 1))
    file = find_npy(open_course_root(str(path), holds_data), "train")
    with pytest.raises(DataError, match=r"train\.npy: must be a readable file of a zip"):
        load_npy(file)


def test_name_may_not_lead_out_of_the_root(tmp_path):
    root = open_course_root(str(make_zip(tmp_path, "top/")), holds_data)
    assert str(join_inside(root, "a/b", "data.dev")).endswith("course.zip/top/a/b")
    for name in ("../x", "/x", ""):
        for folder in (root, tmp_path):
            with pytest.raises(ConfigError, match=r"data\.dev: must be a relative path"):
                join_inside(folder, name, "data.dev")


FILES = {
    "hw1p2": "train.npy",
    "hw1p2_folders": "train-clean-100/mfcc/a.npy",
    "libriphone": "train_split.txt",
    "timit_11": "train_11.npy",
}
READERS = {
    "hw1p2": (Hw1p2Corpus, Hw1p2Config),
    "hw1p2_folders": (Hw1p2FoldersCorpus, Hw1p2FoldersConfig),
    "libriphone": (LibriphoneCorpus, LibriphoneConfig),
    "timit_11": (Timit11Corpus, Timit11Config),
}


@pytest.mark.parametrize("top", ["", "11785-f24-hw1p2", "input/11785-s26-hw1p2"])
@pytest.mark.parametrize("there", FILES)
def test_the_option_that_reads_the_data_is_named_by_all_others(tmp_path, there, top):
    path = tmp_path / "root" / top / FILES[there]
    path.parent.mkdir(parents=True)
    path.touch()
    for option, (corpus, config) in READERS.items():
        if option != there:
            with pytest.raises(DataError, match=rf"\. data={there} reads what is there\.$"):
                corpus(config(root=str(tmp_path / "root")))


def test_other_data_in_a_zip_file_is_named(tmp_path):
    root = open_course_root(str(make_zip(tmp_path, "input/s20/")), lambda folder: False)
    found = describe_other_course(root, "hw1p2_folders")
    assert found == "data=hw1p2 reads what is there."
    assert describe_other_course(root, "hw1p2") == ""
