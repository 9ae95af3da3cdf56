"""Audio and segment files are paired by their paths, in the layouts of common corpora."""

import os
import unicodedata

import pytest

from framesweep.config import SegmentsConfig
from framesweep.data.readers.segments_files import list_utterances
from framesweep.errors import ConfigError, DataError


def touch(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def listed(root, **keys):
    found = list_utterances(SegmentsConfig(root=str(root), **keys), root)
    return {
        files.id: (
            files.audio.relative_to(root).as_posix(),
            files.segments and files.segments.relative_to(root).as_posix(),
        )
        for files in found
    }


def test_audio_and_segments_may_have_separate_folders(tmp_path):
    touch(tmp_path, "wav/a/1.flac", "wav/b/1.flac", "lab/a/1.TextGrid", "lab/b/1.lab")
    found = listed(tmp_path, audio="wav", segments="lab")
    assert found["a/1"] == ("wav/a/1.flac", "lab/a/1.TextGrid")
    assert found["b/1"] == ("wav/b/1.flac", "lab/b/1.lab")
    only_grids = listed(tmp_path, audio="wav", segments="lab", format="textgrid")
    assert only_grids["b/1"] == ("wav/b/1.flac", None)


def test_audio_and_segments_may_have_separate_folders_per_speaker(tmp_path):
    touch(tmp_path, "ABA/wav/a1.wav", "ABA/textgrid/a1.TextGrid", "ABA/annotation/a1.TextGrid")
    touch(tmp_path, "BWC/wav/x/a1.wav", "BWC/textgrid/x/a1.TextGrid", "notes/a1.TextGrid")
    assert listed(tmp_path, audio="*/wav", segments="*/textgrid") == {
        "ABA/a1": ("ABA/wav/a1.wav", "ABA/textgrid/a1.TextGrid"),
        "BWC/x/a1": ("BWC/wav/x/a1.wav", "BWC/textgrid/x/a1.TextGrid"),
    }
    by_speaker = list_utterances(
        SegmentsConfig(
            root=str(tmp_path), audio="*/wav", segments="*/textgrid", speaker="^[^/]+"
        ),
        tmp_path,
    )
    assert [files.speaker for files in by_speaker] == ["ABA", "BWC"]


def test_existing_folder_is_not_taken_for_a_wildcard(tmp_path):
    touch(tmp_path, "wav[1]/a.wav", "wav[1]/a.phn", "wav1/b.wav")
    assert list(listed(tmp_path, audio="wav[1]", segments="wav[1]")) == ["a"]


def test_converted_audio_is_the_utterance_of_its_original(tmp_path):
    touch(tmp_path, "SX1.WAV", "SX1.WAV.wav", "SX1.PHN", "SX2.WAV.wav", "SX2.PHN", "a.b.wav")
    assert listed(tmp_path) == {
        "SX1": ("SX1.WAV", "SX1.PHN"),
        "SX2": ("SX2.WAV.wav", "SX2.PHN"),
        "a.b": ("a.b.wav", None),
    }


def test_text_files_are_segments_only_with_format_seconds(tmp_path):
    touch(tmp_path, "a.wav", "a.txt", "b.wav", "b.lab")
    assert listed(tmp_path)["a"] == ("a.wav", None)
    assert listed(tmp_path, format="seconds")["a"] == ("a.wav", "a.txt")


def test_segments_with_other_names_than_the_audio_are_refused_with_an_example(tmp_path):
    touch(tmp_path, "wav/a1.wav", "lab/b1.lab")
    with pytest.raises(DataError, match=r"data\.segments: .* such as 'wav/a1'; found 'lab/b1'"):
        listed(tmp_path)


def test_excluding_all_audio_is_refused(tmp_path):
    touch(tmp_path, "a.wav")
    with pytest.raises(DataError, match=r"must contain audio files.*data\.exclude may exclude"):
        listed(tmp_path, exclude="a")


def test_file_name_that_is_not_utf8_is_refused_in_one_line(tmp_path):
    os.close(os.open(os.fsencode(tmp_path) + b"/\xe9t\xe9.wav", os.O_CREAT | os.O_WRONLY))
    with pytest.raises(DataError, match=r"e9t.*must be UTF-8.*Rename it") as caught:
        listed(tmp_path)
    str(caught.value).encode()


@pytest.mark.parametrize(
    ("keys", "error", "message"),
    [
        ({"audio": "none"}, DataError, r"data\.audio: must be an existing folder"),
        ({"audio": "*/none"}, DataError, r"data\.audio: must be an existing folder"),
        ({"audio": "**/wav"}, ConfigError, r"data\.audio: must have one wildcard per folder"),
        ({"audio": "../x"}, ConfigError, r"data\.audio: must be a relative path inside"),
        ({"exclude": "("}, ConfigError, r"data\.exclude: must be a regular expression"),
        ({"speaker": "("}, ConfigError, r"data\.speaker: must be a regular expression"),
    ],
)
def test_invalid_key_is_refused(tmp_path, keys, error, message):
    touch(tmp_path, "wav/a.wav")
    with pytest.raises(error, match=message):
        listed(tmp_path, **keys)


def test_segments_without_audio_are_skipped_with_a_warning(tmp_path, caplog):
    touch(tmp_path, "a.wav", "a.lab", "b.m4a", "b.lab", "c.lab", "d.wav", "d.txt")
    assert list(listed(tmp_path)) == ["a", "d"]
    expected = "skipping 2 of 3 segment files without audio (.wav, .flac, "
    assert caplog.messages[0].startswith(expected)
    assert caplog.messages[0].endswith("): b, c")
    caplog.clear()
    listed(tmp_path, exclude="b|c")
    assert not caplog.messages


def test_two_audio_files_of_one_utterance_are_refused(tmp_path):
    touch(tmp_path, "a.wav", "a.flac", "b.wav", "b.lab", "b.TextGrid")
    with pytest.raises(DataError, match=r"the only file of its utterance; a\.") as caught:
        listed(tmp_path)
    assert str(caught.value).endswith(". Leave one of them out with data.exclude.")
    with pytest.raises(DataError, match=r"; b\..*Set data\.format or data\.exclude\."):
        listed(tmp_path, exclude="a\\.flac")


def decomposed(text):
    return unicodedata.normalize("NFD", text)


def test_names_in_two_unicode_forms_are_one_utterance(tmp_path):
    touch(tmp_path, decomposed("Jos\u00e9/a\u00e7.wav"), "Jos\u00e9/a\u00e7.lab")
    ((id, files),) = listed(tmp_path).items()
    assert id == "Jos\u00e9/a\u00e7"
    assert files == (decomposed("Jos\u00e9/a\u00e7.wav"), "Jos\u00e9/a\u00e7.lab")


def test_folder_may_be_typed_in_another_unicode_form(tmp_path):
    touch(tmp_path, decomposed("Jos\u00e9/wav/a.wav"), decomposed("Jos\u00e9/lab/a.lab"))
    assert list(listed(tmp_path, audio="Jos\u00e9/wav", segments="Jos\u00e9/lab")) == ["a"]


def test_buckeye_phones_are_segments(tmp_path):
    touch(tmp_path, "s0101a.wav", "s0101a.phones", "s0101a.words")
    assert listed(tmp_path)["s0101a"] == ("s0101a.wav", "s0101a.phones")
    assert listed(tmp_path, format="xlabel")["s0101a"] == ("s0101a.wav", "s0101a.phones")


def parts_of(root, **keys):
    found = list_utterances(SegmentsConfig(root=str(root), **keys), root)
    return {files.id: (files.segments and files.segments.name, files.part) for files in found}


def test_files_of_many_utterances_label_each_of_them(tmp_path):
    touch(tmp_path, "wav/a.wav", "wav/b.wav")
    (tmp_path / "all.ctm").write_text("a 1 0 1 t\nb 1 0 1 t\n")
    (tmp_path / "all.mlf").write_text('#!MLF!#\n"*/a.lab"\n0 1 t\n.\n"*/b.lab"\n0 1 t\n.\n')
    assert parts_of(tmp_path, format="ctm")["wav/b"] == ("all.ctm", (10, 20))
    for keys in ({}, {"format": "htk"}, {"format": "mlf"}, {"segments": "all.mlf"}):
        assert parts_of(tmp_path, **keys)["wav/a"] == ("all.mlf", (18, 24)), keys


def test_file_of_one_utterance_precedes_a_file_of_many(tmp_path):
    touch(tmp_path, "a.wav", "a.lab")
    (tmp_path / "words.mlf").write_text('#!MLF!#\n"*/a.lab"\n0 1 word\n.\n')
    assert parts_of(tmp_path)["a"] == ("a.lab", None)


def test_file_of_many_utterances_without_any_of_these_is_refused(tmp_path):
    touch(tmp_path, "a.wav")
    (tmp_path / "all.ctm").write_text("x 1 0 1 t\n")
    with pytest.raises(
        DataError, match=r"same folders and names .*'a'; found 'x in .*all\.ctm'"
    ):
        listed(tmp_path, format="ctm")


def test_phn_files_are_in_seconds_where_there_are_no_others(tmp_path):
    touch(tmp_path, "a.wav", "a.phn")
    assert listed(tmp_path, format="seconds") == {"a": ("a.wav", "a.phn")}
    touch(tmp_path, "a.lab")
    assert listed(tmp_path, format="seconds") == {"a": ("a.wav", "a.lab")}


def test_tables_of_one_utterance_with_other_names_are_no_tables_of_many(tmp_path):
    touch(tmp_path, "wav/a.wav", "wav/b.wav")
    (tmp_path / "csv").mkdir()
    for name in ("x_a", "x_b"):
        (tmp_path / "csv" / f"{name}.csv").write_text("start_s,end_s,phone\n0,1,aa\n")
    with pytest.raises(DataError, match=r"must have the same folders and names as data\.audio"):
        listed(tmp_path, audio="wav", segments="csv", format="csv")
    (tmp_path / "csv" / "all.csv").write_text("utterance,start_s,end_s,phone\na,0,1,aa\n")
    found = listed(tmp_path, audio="wav", segments="csv", format="csv")
    assert found == {"a": ("wav/a.wav", "csv/all.csv"), "b": ("wav/b.wav", None)}
