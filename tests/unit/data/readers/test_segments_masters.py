"""Entries of files of many utterances are assigned to audio by their names."""

import pytest

from framesweep.data.formats.master_files import index_master_file
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
        ("Day_1/take_0", "day 1/take 0"),
    ],
)
def test_entry_is_found_by_its_name(tmp_path, entry, id):
    assert list(matched(tmp_path, [entry], [id, "other/b"])) == [id]


def test_folders_tell_utterances_of_one_name_apart(tmp_path):
    found = matched(tmp_path, ["x/a", "y/a"], ["x/a", "y/a"])
    assert found == {"x/a": "x/a", "y/a": "y/a"}


@pytest.mark.parametrize(
    ("ids", "entries"),
    [
        (["ab", "AB"], {"ab": "ab", "AB.lab": "AB"}),
        (["x/a", "X/a"], {"*/X/a": "X/a", "x/a": "x/a"}),
        (["take 0", "take_0"], {"take_0": "take_0"}),
    ],
)
def test_of_names_that_differ_in_case_or_spaces_the_equal_one_counts(tmp_path, ids, entries):
    path = write_ctm(tmp_path / "all.ctm", *entries)
    expected = {entries[name]: (path, part) for name, part in index_master_file(path).items()}
    assert match_master_files([path], ids) == expected


@pytest.mark.parametrize("entries", [["AB", "ab"], ["ab", "AB"]])
def test_of_two_entries_for_one_utterance_the_equal_one_counts(tmp_path, entries):
    path = write_ctm(tmp_path / "all.ctm", *entries)
    assert match_master_files([path], ["ab"]) == {"ab": (path, index_master_file(path)["ab"])}


def test_entries_without_audio_are_ignored(tmp_path):
    assert list(matched(tmp_path, ["a", "b"], ["a"])) == ["a"]


def test_entry_that_may_be_either_of_two_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"must name its utterances uniquely, as 'x/a'"):
        matched(tmp_path, ["a"], ["x/a", "y/a"])


def test_utterance_with_two_entries_is_refused(tmp_path):
    paths = [write_ctm(tmp_path / name, "a") for name in ("one.ctm", "two.ctm")]
    with pytest.raises(DataError, match=r"two\.ctm: must be the only file .*one\.ctm does"):
        match_master_files(paths, ["x/a"])


ELSEWHERE = "{}: entries in other folders than the only utterance of their name ({}, such as"
IGNORED = "spk9/a for spk0/a) are ignored, because others name the folders"


@pytest.mark.parametrize(
    ("entries", "labelled", "line"),
    [
        # Others name the folders of the utterances, so that this one is of another utterance.
        (["spk1/b", "spk9/a"], {"spk1/b"}, f"{ELSEWHERE} {IGNORED}"),
        (["spk9/a", "spk8/a", "spk1/b", "spk0/a"], {"spk1/b", "spk0/a"}, ""),
        (["a.lab", "spk9/a.lab", "spk1/b"], {"spk0/a", "spk1/b"}, ""),
        (
            ["*/labels/a.lab", "/x/labels/b.lab"],
            {"spk0/a", "spk1/b"},
            f"{ELSEWHERE} */labels/a.lab for spk0/a) label it",
        ),
    ],
)
def test_entries_in_other_folders_count_only_if_all_are_elsewhere(
    tmp_path, caplog, entries, labelled, line
):
    path = write_ctm(tmp_path / "all.ctm", *entries)
    found = match_master_files([path], ["spk0/a", "spk1/b"])
    assert found.keys() == labelled
    assert caplog.messages == (
        [line.format(path, 1 if IGNORED in line else len(entries))] if line else []
    )


def test_two_entries_of_a_file_for_one_utterance_are_refused(tmp_path):
    path = write_ctm(tmp_path / "all.ctm", "a.lab", "a.rec")
    with pytest.raises(DataError, match=r"must have one entry for 'x/a'; found 'a.lab, a.rec'"):
        match_master_files([path], ["x/a"])
