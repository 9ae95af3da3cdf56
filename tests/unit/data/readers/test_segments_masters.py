"""Entries of files of many utterances are assigned to audio by their names."""

import pytest

from framesweep.data.readers.segments_masters import match_master_files
from framesweep.errors import DataError


def write_ctm(path, *names):
    path.write_text("".join(f"{name} 1 0 0.5 aa\n" for name in names))
    return path


def matched(tmp_path, entries, ids):
    found = match_master_files([write_ctm(tmp_path / "all.ctm", *entries)], ids)
    names = {part: entry for entry, (_, part) in zip(entries, found.values(), strict=False)}
    return {id: names[part] for id, (_, part) in found.items()}


@pytest.mark.parametrize(
    ("entry", "id"),
    [
        ("train/a1", "train/a1"),
        ("a1", "train/a1"),
        ("*/a1.lab", "train/a1"),
        ("/export/train/a1.rec", "train/a1"),
        ("/export/elsewhere/a1.rec", "train/a1"),
        ("SA1.LAB", "dr1/fcjf0/sa1"),
        ("anna.a1", "anna.a1"),
    ],
)
def test_entry_is_found_by_its_name(tmp_path, entry, id):
    assert list(matched(tmp_path, [entry], [id, "other/b"])) == [id]


def test_folders_tell_utterances_of_one_name_apart(tmp_path):
    found = matched(tmp_path, ["x/a", "y/a"], ["x/a", "y/a"])
    assert found == {"x/a": "x/a", "y/a": "y/a"}


def test_entries_without_audio_are_ignored(tmp_path):
    assert list(matched(tmp_path, ["a", "b"], ["a"])) == ["a"]


def test_entry_that_may_be_either_of_two_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"must name its utterances uniquely, as 'x/a'"):
        matched(tmp_path, ["a"], ["x/a", "y/a"])


def test_utterance_with_two_entries_is_refused(tmp_path):
    paths = [write_ctm(tmp_path / name, "a") for name in ("one.ctm", "two.ctm")]
    with pytest.raises(DataError, match=r"two\.ctm: must be the only file .*one\.ctm does"):
        match_master_files(paths, ["x/a"])
