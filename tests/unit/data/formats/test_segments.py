"""Every format of segments is read in its unit of time; malformed files are refused."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from framesweep.data.formats.segments import read_segments
from framesweep.errors import DataError


def read(path, kind="auto", tier="phones", sample_rate=16_000):
    found = read_segments(path, kind, tier, sample_rate)
    return found.starts.tolist(), found.ends.tolist(), found.phones


def write(tmp_path, name, text, encoding="utf-8"):
    path = tmp_path / name
    path.write_bytes(text.encode(encoding))
    return path


def test_phn_counts_samples_at_the_rate_of_the_audio(tmp_path):
    path = write(tmp_path, "SA1.PHN", "0 2400 h#\n2400 4000 sh\n")
    assert read(path) == ([0, 0.15], [0.15, 0.25], ("h#", "sh"))
    assert read(path, sample_rate=8_000)[1] == [0.3, 0.5]


def test_xlabel_gives_ends_after_a_header(tmp_path):
    text = "signal x\nnfields 1\n#\n0.342 125 pau\n0.392 121 k ; extra\n0.5 121 \n"
    path = write(tmp_path, "a.lab", text)
    assert read(path) == ([0, 0.342, 0.392], [0.342, 0.392, 0.5], ("pau", "k", ""))


def test_htk_counts_100_ns_and_ignores_scores_and_alternatives(tmp_path):
    text = "0 2500000 sil -34.5 word\n2500000 9000000 ae -1\n///\n0 9000000 ah\n"
    path = write(tmp_path, "a.lab", text)
    assert read(path) == ([0, 0.25], [0.25, 0.9], ("sil", "ae"))


@pytest.mark.parametrize(
    ("name", "phone"),
    [
        ("a-b+c", "b"),
        ("xx^xx-sil+b=r@xx_xx/A:0_0_0-1+2", "sil"),
        ("a-b", "a-b"),
        ("b+c", "b+c"),
        ("ae", "ae"),
        ("-", "-"),
    ],
)
def test_htk_phone_in_context_is_read_without_its_neighbors(tmp_path, name, phone):
    path = write(tmp_path, "a.lab", f"0 2500000 {name}\n")
    assert read(path)[2] == (phone,)


def test_lab_with_decimal_points_and_no_header_is_in_seconds(tmp_path):
    path = write(tmp_path, "a.lab", "0.0000000 0.2925000 silB\n0.2925000 0.4 k\n\n0.4 0.5\n")
    assert read(path) == ([0, 0.2925, 0.4], [0.2925, 0.4, 0.5], ("silB", "k", ""))
    assert read(path, kind="seconds") == read(path)
    with pytest.raises(DataError, match=r"line 4: must be `START END PHONE` in units of 100"):
        read(path, kind="htk")
    path = write(tmp_path, "a.txt", "0\t1\tlong phone\n")
    assert read(path, kind="seconds") == ([0], [1], ("long phone",))


def test_rounded_times_do_not_count_as_overlap(tmp_path):
    path = write(tmp_path, "a.phn", "0 1601 a\n1600 3200 b\n")
    segments = read_segments(path, "auto", "", 16_000)
    assert segments.at(np.array([0.05, 0.10001, 0.15])).tolist() == [0, 1, 1]
    path = write(tmp_path, "b.phn", "1600 1601 a\n1599 3200 b\n")
    with pytest.raises(DataError, match=r"segment 2: must start after.*set data\.format"):
        read(path)


@pytest.mark.parametrize(
    ("start", "duration", "following"), [("0.390", "0.031", "0.420"), ("0.13", "0.07", "0.19")]
)
def test_start_and_duration_in_ctm_may_be_rounded_apart(tmp_path, start, duration, following):
    text = f"u 1 {start} {duration} a\nu 1 {following} 0.3 b\n"
    assert read(write(tmp_path, "a.ctm", text), kind="ctm")[2] == ("a", "b")
    path = write(tmp_path, "b.ctm", "u 1 0.13 0.09 a\nu 1 0.19 0.3 b\n")
    with pytest.raises(DataError, match=r"segment 2: must start after.*found '0\.1900 s'$"):
        read(path, kind="ctm")


def test_segment_covers_its_start_but_not_its_end(tmp_path):
    path = write(tmp_path, "a.phn", "1600 3200 a\n4800 8000 b\n")
    segments = read_segments(path, "auto", "", 16_000)
    times = np.array([0.0, 0.0999, 0.1, 0.1999, 0.2, 0.25, 0.3, 0.4999, 0.5, 9.0])
    assert segments.at(times).tolist() == [-1, -1, 0, 0, -1, -1, 1, 1, -1, -1]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.phn", "", "at least one segment"),
        ("a.phn", "0 1600\n", "line 1: must be `START END PHONE`"),
        ("a.phn", "0 1600 a\n1600 x b\n", "line 2: a time must be a non-negative number.*'x'"),
        ("a.phn", "0 -5 a\n", "must be a non-negative number"),
        ("a.phn", "0 inf a\n", "must be a non-negative number"),
        ("a.phn", "3200 1600 a\n", "segment 1: must not end before it starts"),
        (
            "a.phn",
            "0 3200 a\n1600 4800 b\n",
            "segment 2: must start after the previous segment ends",
        ),
        ("a.lab", "0 12\n", "must be `START END PHONE` in units of 100 ns"),
        ("a.lab", "0.5\n", "must be `START END PHONE` in seconds"),
        ("a.lab", "#\n0.5\n", "must be `END COLOR PHONE`"),
        ("a.lab", "#\n0.5 1 a\n0.2 1 b\n", "segment 2: must not end before it starts"),
        ("a.ctm", "0 1 a", "suffix must be one of"),
    ],
)
def test_malformed_file_is_refused(tmp_path, name, text, message):
    with pytest.raises(DataError, match=message):
        read(write(tmp_path, name, text))


def test_other_encoding_and_missing_file_are_refused(tmp_path):
    with pytest.raises(DataError, match=r"must be UTF-8, or UTF-16.*Save it as UTF-8"):
        read(write(tmp_path, "a.phn", "0 1600 é", "latin-1"))
    with pytest.raises(DataError, match="must be readable"):
        read(tmp_path / "none.phn")


TEXT = "0.0 0.25 pau\n#\n0 2500000 sil\n2500000 9000000 a-b+c\n"


@settings(max_examples=150, deadline=None)
@given(
    suffix=st.sampled_from([".phn", ".lab"]),
    cut=st.integers(0, len(TEXT)),
    noise=st.text(st.characters(codec="utf-8"), max_size=30) | st.binary(max_size=30),
)
def test_any_content_is_read_or_refused_in_one_line(tmp_path_factory, suffix, cut, noise):
    path = tmp_path_factory.mktemp("fuzz") / f"a{suffix}"
    extra = noise if isinstance(noise, bytes) else noise.encode()
    path.write_bytes(TEXT.encode()[:cut] + extra + TEXT.encode()[cut:])
    message = ""
    try:
        starts, ends, phones = read(path)
    except DataError as error:
        message = str(error)
    if message:
        assert str(path) in message
        assert "\n" not in message
    else:
        assert len(starts) == len(ends) == len(phones) > 0
