import pytest

from framesweep.data.phones import TIMIT_61, PhoneSet
from framesweep.data.readers.segments_labels import make_labelling
from framesweep.errors import ConfigError, DataError


def named(*names):
    return dict.fromkeys(names, "a.phn")


def test_phones_of_the_corpus_are_sorted_and_its_silence_fills_gaps():
    found = make_labelling(named("t", "epi", "h#", "a"), None, None, None)
    assert found.phones.names == ("a", "epi", "h#", "t")
    assert found.ids == {"a": 0, "epi": 1, "h#": 2, "t": 3, "": 2}


def test_a_silence_is_added_where_there_is_none():
    found = make_labelling(named("t", "a"), None, None, None)
    assert found.phones.names == ("a", "sil", "t")
    assert found.ids[""] == 1
    assert make_labelling(named("t", "a"), None, "t", None).phones.names == ("a", "t")


def test_listed_phones_keep_their_order():
    found = make_labelling(named("a"), PhoneSet(("[SIL]", "b", "a")), None, None)
    assert found.ids == {"[SIL]": 0, "b": 1, "a": 2, "": 0}


def test_unknown_phones_are_listed():
    with pytest.raises(DataError, match=r"a\.phn has x; found \['x', 'y'\]"):
        make_labelling(named("y", "a", "x"), PhoneSet(("a", "sil")), None, None)


def test_timit_folds_to_39_with_q_as_silence():
    found = make_labelling(named(*TIMIT_61.split()), None, None, "39")
    assert len(found.phones) == 39
    assert found.ids["zh"] == found.ids["sh"]
    silence = found.phones.id("sil")
    assert {found.ids[n] for n in ("h#", "pau", "epi", "q", "bcl", "")} == {silence}


def test_the_plainest_of_several_silences_fills_gaps():
    found = make_labelling(named("SIL_S", "SIL", "SIL_B", "a"), None, None, None)
    assert found.ids[""] == found.ids["SIL"]
    found = make_labelling(named("<p:>", "p:", "a"), None, None, None)
    assert found.ids[""] == found.ids["<p:>"] != found.ids["p:"]


def test_what_the_montreal_aligner_writes_loses_its_stress():
    found = make_labelling(named("AH0", "AH1", "T", "spn"), None, None, "unstressed")
    assert found.phones.names == ("AH", "T", "sil", "spn")
    assert found.ids[""] == 2


def test_a_gap_may_be_called_by_a_folded_phone():
    found = make_labelling(named("aa", "bcl"), None, "sil", "48")
    assert found.phones.names == ("aa", "vcl", "sil")


def test_refuses_gaps_and_foldings_that_do_not_fit():
    with pytest.raises(ConfigError, match=r"data\.gap_phone: must be in data\.phones"):
        make_labelling(named("a"), PhoneSet(("a",)), "sil", None)
    with pytest.raises(ConfigError, match=r"data\.gap_phone: must be given"):
        make_labelling(named("a"), PhoneSet(("a",)), None, None)
    with pytest.raises(ConfigError, match=r"39 must know every phone; found \['AA1'\]"):
        make_labelling(named("AA1", "sil"), None, None, "39")
