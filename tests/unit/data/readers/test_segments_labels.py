"""Names in segments become labels; gaps get the label of a silence."""

import pytest

from framesweep.data.phones import TIMIT_61, PhoneSet
from framesweep.data.readers.segments_labels import (
    build_labelling,
    number_labels,
)
from framesweep.errors import ConfigError, DataError


def named(*names):
    return dict.fromkeys(names, "a.phn")


def test_phones_are_sorted_and_a_silence_among_them_labels_gaps():
    found = build_labelling(named("t", "epi", "h#", "a"), None, None, None)
    assert found.phones.names == ("a", "epi", "h#", "t")
    assert found.ids == {"a": 0, "epi": 1, "h#": 2, "t": 3, "": 2}


def test_silence_is_added_if_there_is_none():
    found = build_labelling(named("t", "a"), None, None, None)
    assert found.phones.names == ("a", "sil", "t")
    assert found.ids[""] == 1
    assert build_labelling(named("t", "a"), None, "t", None).phones.names == ("a", "t")


def test_listed_phones_keep_their_order():
    found = build_labelling(named("a"), PhoneSet(("[SIL]", "b", "a")), None, None)
    assert found.ids == {"[SIL]": 0, "b": 1, "a": 2, "": 0}


def test_phones_that_are_not_listed_are_refused_by_name():
    with pytest.raises(DataError, match=r"a\.phn contains x; found x, y"):
        build_labelling(named("y", "a", "x"), PhoneSet(("a", "sil")), None, None)


def test_numbers_are_those_of_listed_phones():
    listed = PhoneSet(("<eps>", "SIL", "a", "t"))
    found = build_labelling(named("3", "1"), listed, None, None)
    assert found.phones == listed
    assert found.ids == {"3": 3, "1": 1, "": 1}
    folded = build_labelling(named("0", "1"), PhoneSet(("h#", "zh")), None, "39")
    assert folded.ids["1"] == folded.phones.id("sh")
    with pytest.raises(DataError, match=r"class numbers must be below 4; found '4'"):
        build_labelling(named("4"), listed, None, None)
    assert build_labelling(named("1"), PhoneSet(("1", "0")), "0", None).ids == {
        "1": 0,
        "0": 1,
        "": 1,
    }


def test_timit_folds_to_39_with_q_as_silence():
    found = build_labelling(named(*TIMIT_61.split()), None, None, "39")
    assert len(found.phones) == 39
    assert found.ids["zh"] == found.ids["sh"]
    silence = found.phones.id("sil")
    assert {found.ids[n] for n in ("h#", "pau", "epi", "q", "bcl", "")} == {silence}


def test_plainest_of_several_silences_labels_gaps():
    found = build_labelling(named("SIL_S", "SIL", "SIL_B", "a"), None, None, None)
    assert found.ids[""] == found.ids["SIL"]
    found = build_labelling(named("<p:>", "p:", "a"), None, None, None)
    assert found.ids[""] == found.ids["<p:>"] != found.ids["p:"]


def test_arpabet_of_the_montreal_aligner_loses_its_stress():
    found = build_labelling(named("AH0", "AH1", "T", "spn"), None, None, "unstressed")
    assert found.phones.names == ("AH", "T", "sil", "spn")
    assert found.ids[""] == 2


def test_gap_phone_may_be_the_name_of_a_folded_phone():
    found = build_labelling(named("aa", "bcl"), None, "sil", "48")
    assert found.phones.names == ("aa", "vcl", "sil")


def test_gap_phone_and_folding_that_do_not_fit_are_refused():
    with pytest.raises(ConfigError, match=r"data\.gap_phone: must be listed in data\.phones"):
        build_labelling(named("a"), PhoneSet(("a",)), "sil", None)
    with pytest.raises(ConfigError, match=r"data\.gap_phone: must be set, because"):
        build_labelling(named("a"), PhoneSet(("a",)), None, None)
    with pytest.raises(
        ConfigError, match=r"folding 39 must know every phone of the corpus; found AA1"
    ):
        build_labelling(named("AA1", "sil"), None, None, "39")


def test_class_numbers_are_labels_as_they_are():
    found = number_labels({"3": "a", "0": "b"}, None)
    assert found.phones.names == ("0", "1", "2", "3")
    assert found.ids == {"3": 3, "0": 0}
    named = number_labels({"1": "a"}, PhoneSet(("sil", "aa")))
    assert (named.phones.names, named.ids["1"]) == (("sil", "aa"), 1)


def test_class_number_without_a_name_or_beyond_the_limit_is_refused():
    with pytest.raises(
        DataError, match=r"labels\.txt: class numbers must be below 2; found '2'"
    ):
        number_labels({"2": "labels.txt"}, PhoneSet(("sil", "aa")))
    with pytest.raises(DataError, match="must be below 10000; found '999999'"):
        number_labels({"999999": "labels.txt"}, None)
