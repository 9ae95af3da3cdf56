"""Folders of audio and segments are listed, and label files of other formats are named."""

from framesweep.config import SegmentsConfig
from framesweep.data.readers.segments_folders import describe_label_files, list_files


def touch(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def test_files_are_listed_below_the_folders_that_wildcards_match(tmp_path):
    touch(tmp_path, "a/wav/1.wav", "b/wav/x/2.wav", "b/lab/2.lab")
    found = {path.as_posix() for path, _ in list_files(tmp_path, "audio", "*/wav")}
    assert found == {"a/1.wav", "b/x/2.wav"}


def test_segments_may_be_one_file(tmp_path):
    touch(tmp_path, "all.mlf", "a.wav")
    assert [path.name for _, path in list_files(tmp_path, "segments", "all.mlf")] == ["all.mlf"]


def test_files_that_another_format_reads_are_named(tmp_path):
    touch(tmp_path, "a.wav", "a.json", "b.wav", "b.json")
    text = describe_label_files(SegmentsConfig(root=str(tmp_path)), {"a", "b"})
    assert text.endswith(
        "2 of these utterances have a file .json: data.format=json reads them."
    )


def test_a_name_in_other_case_is_named(tmp_path):
    touch(tmp_path, "x/a.wav", "x/A.LAB")
    text = describe_label_files(SegmentsConfig(root=str(tmp_path)), {"x/a"})
    assert text == "Names must agree in upper and lower case; there is 'x/A.LAB'."
