"""Both text formats of Praat are read; what is not a TextGrid is refused in one line."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from framesweep.data.formats.segments import read_segments
from framesweep.data.formats.textgrid import read_tier
from framesweep.errors import DataError

LONG = """File type = "ooTextFile"
Object class = "TextGrid"

xmin = 0
xmax = 0.9
tiers? <exists>
size = 3
item []:
    item [1]:
        class = "IntervalTier"
        name = "words"
        xmin = 0
        xmax = 0.9
        intervals: size = 1
        intervals [1]:
            xmin = 0
            xmax = 0.9
            text = "say ""hi"" 3 times"
    item [2]:
        class = "TextTier"
        name = "clicks"
        xmin = 0
        xmax = 0.9
        points: size = 1
        points [1]:
            number = 0.5
            mark = "x"
    item [3]:
        class = "IntervalTier"
        name = "phones"
        xmin = 0
        xmax = 0.9
        intervals: size = 3
        intervals [1]:
            xmin = 0
            xmax = 0.25
            text = "ɛ1"
        intervals [2]:
            xmin = 0.25
            xmax = 0.6
            text = ""
        intervals [3]:
            xmin = 0.6
            xmax = 0.9
            text = "t"
"""
SHORT = """File type = "ooTextFile"
Object class = "TextGrid"

0
0.9
<exists>
2
"IntervalTier"
"anna - words"
0
0.9
0
"IntervalTier"
"anna - phones"
0
0.9
3
0
0.25
"ɛ1"
0.25
0.6
""
0.6
0.9
"t"
"""
INTERVALS = [(0, 0.25, "ɛ1"), (0.25, 0.6, ""), (0.6, 0.9, "t")]


def read(text, tier="phones"):
    return read_tier(Path("a.TextGrid"), text, tier)


@pytest.mark.parametrize("text", [LONG, SHORT], ids=["long", "short"])
def test_long_and_short_format_contain_the_same(text):
    assert read(text) == INTERVALS


@pytest.mark.parametrize("text", [LONG, SHORT], ids=["long", "short"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_file_is_read_in_every_encoding_of_praat(tmp_path, text, encoding, newline):
    path = tmp_path / "a.TextGrid"
    path.write_bytes(text.replace("\n", newline).encode(encoding))
    found = read_segments(path, "auto", "phones", 16_000)
    assert list(zip(found.starts, found.ends, found.phones, strict=True)) == INTERVALS


def test_binary_file_of_praat_is_refused_with_the_command_that_saves_text(tmp_path):
    path = tmp_path / "a.TextGrid"
    path.write_bytes(b"ooBinaryFile\x08TextGrid" + bytes(40))
    with pytest.raises(DataError, match=r"found 'a binary file'\. In Praat, use Save as text"):
        read_segments(path, "auto", "phones", 16_000)


def test_tier_is_chosen_by_name():
    assert read(LONG, "words") == [(0, 0.9, 'say "hi" 3 times')]
    with pytest.raises(DataError, match=r"tier 'syllables'; found words, phones"):
        read(LONG, "syllables")


def test_tier_of_two_speakers_needs_the_speaker():
    text = SHORT.replace('"anna - words"', '"ben - phones"')
    with pytest.raises(DataError, match=r"exactly one interval tier 'phones'.*Set data\.tier"):
        read(text)
    assert read(text, "anna - phones") == INTERVALS


def test_comments_are_ignored():
    assert read(SHORT.replace("<exists>", '<exists> ! 99 "x" <absent>')) == INTERVALS


def test_grid_without_tiers_has_none():
    text = '"ooTextFile" "TextGrid" 0 1 <absent>'
    with pytest.raises(DataError, match=r"one interval tier 'phones'; found none"):
        read(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("not a grid", "must be a TextGrid in one of Praat's text f.*; found 'not a grid'"),
        ("", "must be a TextGrid in one of Praat's text formats; found 'an empty file'"),
        ('"ooTextFile"', "must continue with a quoted string; found 'end of file'"),
        ('"ooTextFile" "Sound"', "must be a TextGrid"),
        (LONG[:700], "must continue with"),
        (
            LONG.replace("size = 3\n        int", "size = 4e9 \n int"),
            "must be from 0 to 999,999",
        ),
        (SHORT.replace("0.25\n", "-0.25\n"), "must be a non-negative number"),
        (SHORT.replace("0.25\n", "1e999\n"), "must be a non-negative number"),
        (SHORT.replace("<exists>", "4"), "must continue with <exists> or <absent>; found '4'"),
    ],
)
def test_malformed_text_is_refused(text, message):
    with pytest.raises(DataError, match=message):
        read(text)


@given(cut=st.integers(0, len(LONG)), noise=st.text(max_size=30))
def test_any_text_is_read_or_refused_in_one_line(cut, noise):
    message = ""
    try:
        intervals = read(LONG[:cut] + noise + LONG[cut:])
    except DataError as error:
        message = str(error)
    if message:
        assert message.startswith("a.TextGrid: ")
        assert "\n" not in message
    else:
        assert all(start >= 0 and end >= 0 for start, end, _ in intervals)


@pytest.mark.parametrize("tier", ["phones", "*phone*", "nothing|phones"])
def test_two_tiers_of_one_name_are_refused_instead_of_reading_one(tier):
    twice = LONG.replace('"words"', '"phones"')
    with pytest.raises(DataError, match=r"exactly one interval tier .* a name of its own"):
        read(twice, tier)


def test_tier_is_chosen_by_a_pattern_or_as_one_of_several_names():
    assert read(LONG, "*phone*") == read(LONG, "MAU|phones") == read(LONG)
