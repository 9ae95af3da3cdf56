"""Label files are read again by the readers of data=segments, as they were written."""

import csv
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from framesweep.data.formats.segment_writers import (
    SUFFIX_OF_FORMAT,
    Recording,
    format_segments,
)
from framesweep.data.formats.segments import read_segments
from framesweep.data.phone_segments import PhoneSegment
from framesweep.errors import DataError

RESOLUTION_S = {"textgrid": 1e-6, "lab": 1e-7, "phn": 1 / 11025, "ctm": 1e-4, "csv": 1e-6}
"""The resolution of each format in seconds."""
FORMATS = tuple(SUFFIX_OF_FORMAT)
RECORDING = Recording("folder/my file", 11025)


def make_segments(ends, phones):
    starts = [0.0, *ends[:-1]]
    return [
        PhoneSegment(phone, start, end, 0.25)
        for phone, start, end in zip(phones, starts, ends, strict=True)
    ]


def read_back(folder, kind, segments):
    path = folder / f"a{SUFFIX_OF_FORMAT[kind]}"
    path.write_text(format_segments(kind, segments, RECORDING), encoding="utf-8")
    # Tables must be asked for; all others are recognized.
    reader: Any = kind if kind in ("ctm", "csv") else "auto"
    return read_segments(path, reader, "phones", RECORDING.sample_rate)


@pytest.mark.parametrize("kind", FORMATS)
@settings(max_examples=40, deadline=None)
@given(
    durations=st.lists(st.floats(0.005, 20), min_size=1, max_size=20),
    data=st.data(),
)
def test_segments_are_read_as_they_were_written(tmp_path_factory, kind, durations, data):
    names = st.sampled_from(["h#", "sil", "AA1", 'e"', "ɪ", "<p:>", "#", "n\u0303", "1"])
    phones = data.draw(st.lists(names, min_size=len(durations), max_size=len(durations)))
    segments = make_segments(np.cumsum(durations).tolist(), phones)
    found = read_back(tmp_path_factory.mktemp(kind), kind, segments)
    assert found.phones == tuple(phones)
    tolerance = RESOLUTION_S[kind] / 2 + 1e-9
    # A duration of .ctm is rounded once more.
    tolerance += RESOLUTION_S[kind] / 2 if kind == "ctm" else 0
    np.testing.assert_allclose(found.starts, [s.start_s for s in segments], atol=tolerance)
    np.testing.assert_allclose(found.ends, [s.end_s for s in segments], atol=tolerance)


@pytest.mark.parametrize("kind", ["textgrid", "csv"])
def test_names_with_spaces_and_commas_are_kept_where_the_format_can(tmp_path, kind):
    segments = make_segments([0.1, 0.2], ["a b", "c,d"])
    assert read_back(tmp_path, kind, segments).phones == ("a b", "c,d")


@pytest.mark.parametrize("kind", ["lab", "phn", "ctm"])
def test_names_with_spaces_are_refused_where_spaces_separate(kind):
    with pytest.raises(DataError, match=r"without spaces; found 'a b'\. Use textgrid or csv"):
        format_segments(kind, make_segments([0.1], ["a b"]), RECORDING)


def test_posteriors_are_in_every_format_that_has_a_place_for_them():
    segments = make_segments([0.1, 0.25], ["a", "b"])

    def lines(kind):
        return format_segments(kind, segments, RECORDING).splitlines()

    assert lines("lab") == ["0 1000000 a 0.250", "1000000 2500000 b 0.250"]
    assert lines("phn") == ["0 1102 a", "1102 2756 b"]
    assert lines("ctm")[1] == "folder/my_file 1 0.1000 0.1500 b 0.250"
    assert list(csv.DictReader(lines("csv")))[1] == {
        "utterance": "folder/my file",
        "start_s": "0.1",
        "end_s": "0.25",
        "phone": "b",
        "posterior": "0.250000",
    }
    grid = lines("textgrid")
    assert [line.strip() for line in grid if "name" in line] == [
        'name = "phones"',
        'name = "confidence"',
    ]
    assert sum('text = "0.250"' in line for line in grid) == 2
