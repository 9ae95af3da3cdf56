"""JSON of several aligners is read; what contains no phones is refused in one line."""

import json
from pathlib import Path

import pytest

from framesweep.data.formats.segment_json import parse_json
from framesweep.errors import DataError

PATH = Path("a.json")
ROWS = [(0.0, 0.5, "sil"), (0.5, 0.75, "aa")]
LISTS = [list(row) for row in ROWS]
WORDS = [{"word": "a", "start": 0.5, "end": 0.75}]
OBJECTS = [{"start": start, "end": end, "phone": name} for start, end, name in ROWS]
CHARS = [
    {"char": "sil", "start": 0, "end": 0.5, "score": 0.9},
    {"char": " "},
    {"char": "aa", "start": 0.5, "end": 0.75},
]


@pytest.mark.parametrize(
    "content",
    [
        LISTS,
        OBJECTS,
        [[*row, 0.9] for row in LISTS],
        {"words": [[0.5, 0.75, "a"]], "phones": LISTS},
        {"end": 1, "tiers": {"words": {"entries": []}, "phones": {"entries": LISTS}}},
        {"tiers": {"anna - phones": {"type": "interval", "entries": LISTS}}},
        {"segments": [{"words": WORDS, "chars": CHARS[:2]}, {"chars": CHARS[2:]}]},
    ],
)
def test_phones_are_found_in_the_json_of_each_aligner(content):
    assert list(parse_json(PATH, json.dumps(content), "phones")) == ROWS


def test_list_is_chosen_by_a_pattern():
    content = json.dumps({"words": [], "my_phones": LISTS})
    assert list(parse_json(PATH, content, "*phone*")) == ROWS


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "must be JSON"),
        ("[" * 100_000, "must be JSON"),
        ("[[0, 1, NaN]]", "NaN is not a number"),
        ('{"phones": [], "phones": []}', "two values of one name"),
        ("3", "must contain a list of segments; found '3'"),
        ("{}", r"exactly one interval tier 'phones'; found none"),
        ('{"tiers": {"phones": 3}}', "must contain a list of segments"),
        ('{"segments": [{"words": []}]}', "phones, not only words.*return_char_alignments"),
        ("[[0, 1]]", r"segment 1: must be \[START, END, PHONE\]"),
        ("[[0, 1, 2]]", r"segment 1: must be \[START, END, PHONE\]"),
        ('[[0, 1, "a"], [1, true, "b"]]', "segment 2: a time must be a non-negative number"),
        ('[["0", 1, "a"]]', "segment 1: a time must be a non-negative number; found '0'"),
        (f'[[0, {10**400}, "a"]]', "segment 1: a time must be a non-negative number"),
    ],
)
def test_other_json_is_refused_in_one_line(text, message):
    with pytest.raises(DataError, match=message) as caught:
        list(parse_json(PATH, text, "phones"))
    assert "\n" not in str(caught.value)
