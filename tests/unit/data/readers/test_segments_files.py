import os

import pytest

from framesweep.config import SegmentsConfig
from framesweep.data.readers.segments_files import list_sources
from framesweep.errors import ConfigError, DataError


def touch(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def sources(root, **keys):
    found = list_sources(SegmentsConfig(root=str(root), **keys), root)
    return {
        source.id: (
            source.sound.relative_to(root).as_posix(),
            source.segments and source.segments.relative_to(root).as_posix(),
        )
        for source in found
    }


def test_sound_and_segments_in_folders_of_their_own(tmp_path):
    touch(tmp_path, "wav/a/1.flac", "wav/b/1.flac", "lab/a/1.TextGrid", "lab/b/1.lab")
    found = sources(tmp_path, audio="wav", segments="lab")
    assert found["a/1"] == ("wav/a/1.flac", "lab/a/1.TextGrid")
    assert found["b/1"] == ("wav/b/1.flac", "lab/b/1.lab")
    only_grids = sources(tmp_path, audio="wav", segments="lab", format="textgrid")
    assert only_grids["b/1"] == ("wav/b/1.flac", None)


def test_folders_of_their_own_for_each_speaker(tmp_path):
    touch(tmp_path, "ABA/wav/a1.wav", "ABA/textgrid/a1.TextGrid", "ABA/annotation/a1.TextGrid")
    touch(tmp_path, "BWC/wav/x/a1.wav", "BWC/textgrid/x/a1.TextGrid", "notes/a1.TextGrid")
    assert sources(tmp_path, audio="*/wav", segments="*/textgrid") == {
        "ABA/a1": ("ABA/wav/a1.wav", "ABA/textgrid/a1.TextGrid"),
        "BWC/x/a1": ("BWC/wav/x/a1.wav", "BWC/textgrid/x/a1.TextGrid"),
    }
    by_speaker = list_sources(
        SegmentsConfig(
            root=str(tmp_path), audio="*/wav", segments="*/textgrid", speaker="^[^/]+"
        ),
        tmp_path,
    )
    assert [source.speaker for source in by_speaker] == ["ABA", "BWC"]


def test_a_folder_may_be_called_like_a_wildcard(tmp_path):
    touch(tmp_path, "wav[1]/a.wav", "wav[1]/a.phn", "wav1/b.wav")
    assert list(sources(tmp_path, audio="wav[1]", segments="wav[1]")) == ["a"]


def test_converted_sound_is_the_utterance_of_its_original(tmp_path):
    touch(tmp_path, "SX1.WAV", "SX1.WAV.wav", "SX1.PHN", "SX2.WAV.wav", "SX2.PHN", "a.b.wav")
    assert sources(tmp_path) == {
        "SX1": ("SX1.WAV", "SX1.PHN"),
        "SX2": ("SX2.WAV.wav", "SX2.PHN"),
        "a.b": ("a.b.wav", None),
    }


def test_text_files_are_segments_only_where_asked_for(tmp_path):
    touch(tmp_path, "a.wav", "a.txt", "b.wav", "b.lab")
    assert sources(tmp_path)["a"] == ("a.wav", None)
    assert sources(tmp_path, format="seconds")["a"] == ("a.wav", "a.txt")


def test_nothing_beside_the_sound_is_told_with_an_example(tmp_path):
    touch(tmp_path, "wav/a1.wav", "lab/b1.lab")
    with pytest.raises(DataError, match=r"data\.segments: .* as 'wav/a1'; found 'lab/b1'"):
        sources(tmp_path)


def test_sound_left_out_to_the_last_is_told(tmp_path):
    touch(tmp_path, "a.wav")
    with pytest.raises(DataError, match=r"must hold sound.*data\.exclude may leave out"):
        sources(tmp_path, exclude="a")


def test_names_that_are_not_utf8_are_refused_in_one_line(tmp_path):
    os.close(os.open(os.fsencode(tmp_path) + b"/\xe9t\xe9.wav", os.O_CREAT | os.O_WRONLY))
    with pytest.raises(DataError, match=r"e9t.*must be UTF-8.*Rename it") as caught:
        sources(tmp_path)
    str(caught.value).encode()


@pytest.mark.parametrize(
    ("keys", "error", "message"),
    [
        ({"audio": "none"}, DataError, r"data\.audio: must be a folder"),
        ({"audio": "*/none"}, DataError, r"data\.audio: must be a folder"),
        ({"audio": "**/wav"}, ConfigError, r"data\.audio: must have a wildcard for each"),
        ({"audio": "../x"}, ConfigError, r"data\.audio: must be a name inside"),
        ({"exclude": "("}, ConfigError, r"data\.exclude: must be a regular expression"),
        ({"speaker": "("}, ConfigError, r"data\.speaker: must be a regular expression"),
    ],
)
def test_refuses(tmp_path, keys, error, message):
    touch(tmp_path, "wav/a.wav")
    with pytest.raises(error, match=message):
        sources(tmp_path, **keys)


def test_two_sounds_of_one_utterance_are_an_error(tmp_path):
    touch(tmp_path, "a.wav", "a.flac")
    with pytest.raises(DataError, match=r"must not stand beside a\..*data.exclude"):
        sources(tmp_path)
