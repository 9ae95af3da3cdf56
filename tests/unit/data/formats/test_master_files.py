"""Each utterance's part of an .mlf, .ctm or .csv file is found; malformed files are refused."""

import pytest

from framesweep.data.formats.master_files import (
    HEADER_BYTES,
    has_utterance_column,
    index_master_file,
)
from framesweep.data.formats.segments import read_segments
from framesweep.errors import DataError

MLF = '#!MLF!#\n"*/a1.lab"\n0 2500000 sil\n2500000 9000000 ae\n.\n"b/a2.rec"\n0 100000 aa\n.\n'
CTM = ";; made by hand\na1 1 0.00 0.25 sil 0.9\na1 1 0.25 0.5 aa\n\na2 1 0 0.1 t\n"
CSV = 'phone,utterance,start_s,end_s\nsil,"a,1",0.00,0.25\naa,"a,1",0.25,0.75\n\nt,a2,0,0.1\n'


def write(tmp_path, name, text, encoding="utf-8"):
    path = tmp_path / name
    path.write_bytes(text.encode(encoding))
    return path


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize(
    ("name", "text", "kind", "entries", "phones", "ends"),
    [
        (
            *("all.mlf", MLF, "auto", ["*/a1.lab", "b/a2.rec"]),
            *([("sil", "ae"), ("aa",)], [0.25, 0.9]),
        ),
        ("all.ctm", CTM, "ctm", ["a1", "a2"], [("sil", "aa"), ("t",)], [0.25, 0.75]),
        ("all.CSV", CSV, "csv", ["a,1", "a2"], [("sil", "aa"), ("t",)], [0.25, 0.75]),
    ],
)
def test_files_are_read_part_by_part(
    tmp_path, name, text, kind, entries, phones, ends, newline, encoding
):
    path = write(tmp_path, name, text.replace("\n", newline), encoding)
    parts = index_master_file(path)
    assert list(parts) == entries
    found = [read_segments(path, kind, "", 1, part) for part in parts.values()]
    assert [segments.phones for segments in found] == phones
    assert found[0].ends.tolist() == ends


@pytest.mark.parametrize(
    ("name", "text", "phones"),
    [
        # One id in two forms of Unicode, on successive lines.
        ("a.ctm", "\u00e9 1 0 1 a\ne\u0301 1 1 1 b\n", [("a", "b")]),
        (
            "a.csv",
            "utterance,start_s,end_s,phone\ne\u0301,0,1,a\n\u00e9,1,2,b\n",
            [("a", "b")],
        ),
        (
            "a.ctm",
            "u 1 0 1 a\n  ;; indented\nu 1 1 1 b\n\t;;\nv 1 0 1 c\n",
            [("a", "b"), ("c",)],
        ),
        # A character that separates lines for str.splitlines only.
        (
            "a.csv",
            "utterance,start_s,end_s,phone\nu,0,1,a\u2028\nv,0,1,b\x0cc\n",
            [("a",), ("b\x0cc",)],
        ),
        ("a.mlf", '#!MLF!#\n"u"\n0 1 a\x0c5\n.\n', [("a",)]),
    ],
)
def test_the_index_and_the_parser_agree_on_lines_and_ids(tmp_path, name, text, phones):
    path = write(tmp_path, name, text)
    kind = path.suffix[1:]
    parts = index_master_file(path)
    found = [read_segments(path, kind, "", 1, part).phones for part in parts.values()]
    assert found == phones


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("length", [1, HEADER_BYTES - 32, HEADER_BYTES - 31, 3 * HEADER_BYTES])
def test_the_header_of_a_csv_may_have_any_length(tmp_path, newline, length):
    header = f"utterance,start_s,end_s,phone,{'x' * length}"
    text = newline.join((header, "u,0,1,a,", "v,0,1,b,", ""))
    path = write(tmp_path, "a.csv", text)
    assert has_utterance_column(path)
    parts = index_master_file(path)
    assert [read_segments(path, "csv", "", 1, part).phones for part in parts.values()] == [
        ("a",),
        ("b",),
    ]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.csv", "start_s,end_s,phone\n", "must have a column utterance to label several"),
        ("a.csv", CSV + 't,"a,1",1,2\n', "on consecutive lines; found 'a,1'. Sort it"),
        ("a.mlf", "", "must begin with a line #!MLF!#"),
        ("a.mlf", "0 1 sil\n", "must begin with a line #!MLF!#; found '0 1 sil"),
        ("a.mlf", MLF[:-3], r"must end each utterance with a line `\.`; found 'b/a2\.rec'"),
        ("a.mlf", MLF + MLF[8:], "must list the labels of each utterance once"),
        ("a.mlf", '#!MLF!#\n"*" -> "labels"\n', 'must name an utterance as "NAME"'),
        ("a.mlf", "#!MLF!#\n0 1 sil\n", 'must name an utterance as "NAME"; found '),
        ("a.ctm", CTM + "a1 1 0.8 0.1 t\n", "on consecutive lines; found 'a1'. Sort it"),
    ],
)
def test_malformed_files_are_refused_in_one_line(tmp_path, name, text, message):
    with pytest.raises(DataError, match=message) as caught:
        index_master_file(write(tmp_path, name, text))
    assert "\n" not in str(caught.value)


def test_files_in_other_encodings_are_refused(tmp_path):
    for text, encoding in ((CTM, "utf-16"), ("\xe9 1 0 1 t", "latin-1")):
        with pytest.raises(DataError, match="must be UTF-8"):
            index_master_file(write(tmp_path, "a.ctm", text, encoding))


def test_file_that_is_missing_is_one_clear_line(tmp_path):
    with pytest.raises(DataError, match=r"a\.ctm: must be readable"):
        index_master_file(tmp_path / "a.ctm")
