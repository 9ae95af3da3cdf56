"""Tables of segments are read in seconds; malformed ones are refused with their line."""

from pathlib import Path

import pytest

from framesweep.data.formats.segment_tables import parse_csv, parse_ctm
from framesweep.errors import DataError

PATH = Path("a.table")


def test_ctm_gives_starts_and_durations_and_maybe_confidences():
    text = ";; a comment\n \t;; another\nu1 1 0.00 0.25 sil 0.9\nu1 1 0.25 0.5 aa\n"
    assert list(parse_ctm(PATH, text)) == [(0, 0.25, "sil"), (0.25, 0.75, "aa")]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("u1 1 0.25 aa", r"a\.table, line 2: must be `UTTERANCE CHANNEL"),
        ("u1 1 x 0.1 aa", r"a\.table, line 2: a time must be"),
        ("u1 1 0.3 -0.1 aa", r"a\.table, line 2: a time must be"),
        ("u2 1 0.3 0.1 aa", r"a\.table, line 2: must describe one utterance.*'u1'"),
        ("u1 2 0.3 0.1 aa", r"a\.table, line 2: must describe one channel.*'1'"),
    ],
)
def test_a_malformed_line_of_a_ctm_is_named(line, message):
    with pytest.raises(DataError, match=message):
        list(parse_ctm(PATH, f"u1 1 0 0.25 sil\n{line}\n"))


def test_csv_finds_its_columns_by_name():
    text = 'phone,extra,end_s,start_s\n"a,b",x,0.5,0\n,y,1e0,0.5\n'
    assert list(parse_csv(PATH, text)) == [(0, 0.5, "a,b"), (0.5, 1, "")]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"must have the columns start_s, end_s, phone, .*; found 'no start_s in"),
        ("start_s,end_s\n0,1\n", "found 'no phone in start_s,end_s'"),
        ("start_s, end_s, phone\n", "commas alone; found 'no end_s in start_s, end_s, phone'"),
        ("start_s,end_s,phone\n0,1,a\n1,two,b\n", r"line 3: a time must be"),
        ("start_s,end_s,phone\n,1,a\n", r"line 2: a time must be"),
        ("start_s,end_s,phone\n0,1\n", r"line 2: must have the 3 fields of the h.*found '0,1'"),
        ("start_s,end_s,phone\n0,1,a\n0,5,1,a\n", r"line 3: must have.*found '0,5,1,a'"),
    ],
)
def test_a_malformed_csv_is_refused(text, message):
    with pytest.raises(DataError, match=message):
        list(parse_csv(PATH, text))


def test_rows_of_a_csv_may_end_with_a_comma():
    assert list(parse_csv(PATH, "start_s,end_s,phone\n0,1,a,\n")) == [(0, 1, "a")]


def test_two_columns_of_one_name_are_refused_instead_of_reading_one():
    with pytest.raises(DataError, match=r"one column of each name; found 'phone'"):
        list(parse_csv(PATH, "start_s,end_s,phone,phone\n0,1,aa,xx\n"))


def test_field_beyond_the_limit_of_csv_is_one_clear_line():
    with pytest.raises(DataError, match=r"must be a readable CSV file \(field larger"):
        list(parse_csv(PATH, "start_s,end_s,phone\n0,1," + "a" * 200_000))
