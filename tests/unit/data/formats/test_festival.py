"""The relation Segment of Festival's utterances is read; incomplete files are refused."""

from pathlib import Path

import pytest

from framesweep.data.formats.festival import parse_festival
from framesweep.errors import DataError

PATH = Path("a.utt")
TEXT = """EST_File utterance
DataType ascii
version 2
EST_Header_End
Features max_id 5 ; type Text ; iform "\\"hi ; 9 end 3 ;\\"" ;
Stream_Items
1 id _1 ; name hi ; whitespace "
 " ; prepunctuation "" ;
2 id _4 ; name aa ; end 0.75 ;
3 id _2 ; name pau ; dur_factor 0 ; end 0.25 ; source_end 0.2 ;
4 id _5 ; name "#" ; end 1 ;
5 ;
End_of_Stream_Items
Relations
Relation Word ; ()
1 1 0 0 0 0
End_of_Relation
Relation Segment ; ()
1 3 0 0 2 0
2 2 0 0 3 1
3 4 0 0 0 2
End_of_Relation
End_of_Relations
End_of_Utterance
"""


def read(text):
    return list(parse_festival(PATH, text))


def test_segments_follow_the_relation_and_not_the_items():
    assert read(TEXT) == [(0, 0.25, "pau"), (0.25, 0.75, "aa"), (0.75, 1, "#")]


@pytest.mark.parametrize("newline", ["\r\n", "\r"])
def test_lines_may_end_as_on_other_systems(newline):
    assert read(TEXT.replace("\n", newline)) == read(TEXT)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("EST_File utterance", "EST_File Track", "must begin with `EST_File utterance`"),
        ("End_of_Stream_Items", "", "a part from `Stream_Items` to `End_of_Stream_Items`"),
        ("Relation Segment", "Relation Phone", "a part from `Relation Segment ;`"),
        ("2 2 0 0 3 1", "2 99 0 0 3 1", r"Segment, line 2: must be `NODE ITEM UP.*found '2 99"),
        ("2 2 0 0 3 1", "2 2 0", r"Segment, line 2: must be `NODE ITEM UP"),
        ("end 0.75", "END 0.75", r"Segment, line 2: the item must have a name and an end"),
        ("end 0.75", "end x", "line 2: a time must be a non-negative number; found 'x'"),
    ],
)
def test_other_files_are_refused_in_one_line(old, new, message):
    with pytest.raises(DataError, match=message) as caught:
        read(TEXT.replace(old, new))
    assert "\n" not in str(caught.value)


def test_file_cut_anywhere_is_refused_in_one_line():
    # From the end of the relation on, nothing is needed.
    complete = TEXT.index("End_of_Relation\nEnd_of_Relations") + len("End_of_Relation")
    for length in range(complete - len("End_of_Relation")):
        with pytest.raises(DataError) as caught:
            read(TEXT[:length])
        assert "\n" not in str(caught.value)
    assert read(TEXT[:complete]) == read(TEXT)
