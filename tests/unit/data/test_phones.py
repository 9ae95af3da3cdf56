"""Silences are recognized, and foldings merge the phones that their source says."""

import pytest

from framesweep.data.phones import (
    ARPABET_71,
    FOLDINGS,
    HW1P2_40,
    TIMIT_61,
    PhoneSet,
    describe_numbering,
    find_foldings,
)
from framesweep.errors import DataError

TIMIT = PhoneSet(tuple(TIMIT_61.split()))


def folded(phones):
    return {folding.name: folding.classes(phones) for folding in find_foldings(phones)}


def test_timit_folds_to_48_and_39():
    sizes = {name: len(phones) for name, (_, phones) in folded(TIMIT).items()}
    assert len(TIMIT) == 61
    assert sizes == {"48": 48, "39": 39}


# The groups of Lee and Hon's table, each counted as one phone in scoring.
SCORED_AS_ONE = (
    "aa ao",
    "ah ax ax-h",
    "er axr",
    "hh hv",
    "ih ix",
    "l el",
    "m em",
    "n en nx",
    "ng eng",
    "sh zh",
    "uw ux",
    "pcl tcl kcl bcl dcl gcl h# pau epi",
)


def test_39_merges_exactly_the_groups_of_lee_and_hon():
    classes, phones = folded(TIMIT)["39"]
    by_class: dict[int, set[str]] = {}
    for name, label in zip(TIMIT.names, classes, strict=True):
        by_class.setdefault(label, set()).add(name)
    assert by_class.pop(-1) == {"q"}
    merged = {frozenset(names) for names in by_class.values() if len(names) > 1}
    assert merged == {frozenset(group.split()) for group in SCORED_AS_ONE}
    assert "sil" in phones


def test_48_can_be_folded_to_39():
    _, phones_48 = folded(TIMIT)["48"]
    found = folded(phones_48)
    assert list(found) == ["39"]  # 48 would merge nothing
    assert len(found["39"][1]) == 39


def test_stress_folds_71_to_41():
    classes, phones = folded(ARPABET_71)["unstressed"]
    assert len(phones) == 41
    assert {"SIL", "SPN", "AA", "ZH"} <= set(phones.names)
    by_name = dict(zip(ARPABET_71.names, classes, strict=True))
    assert by_name["AA0"] == by_name["AA1"] == by_name["AA2"] != by_name["AE0"]


@pytest.mark.parametrize(
    "names", [["[SIL]", "AA"], ["a", "b"], ["SIL", "AA1", "T"], ["t", "p"]]
)
def test_set_without_phones_to_merge_has_no_folding(names):
    assert find_foldings(PhoneSet(tuple(names))) == ()


def test_every_folding_knows_its_own_targets():
    for folding in FOLDINGS:
        targets = {name for name in folding.groups.values() if name is not None}
        assert {folding.groups[name] for name in targets} == targets


@pytest.mark.parametrize(
    ("names", "ids"),
    [
        (("SIL", "a", "[SPN]"), (0, 2)),
        (("SIL_S", "a_B", "SPN_I", "sil_e"), (0, 2, 3)),
        (("<p:>", "p:", "p", "b:"), (0,)),
        (("silB", "k", "silE", "pau"), (0, 2, 3)),
        (("a", "s", "_"), (2,)),
    ],
)
def test_silences_are_recognized_by_name(names, ids):
    assert PhoneSet(names).silence_ids == ids


def test_ids_are_positions_in_the_set():
    phones = PhoneSet(("SIL", "AA", "B"))
    assert [phones.id(name) for name in phones.names] == [0, 1, 2]
    assert len(phones) == 3
    assert "AA" in phones
    assert "aa" not in phones
    with pytest.raises(DataError, match="the phone must be in the set; found 'aa'"):
        phones.id("aa")


def test_repeated_names_are_refused():
    with pytest.raises(DataError, match=r"names must be unique; found AA"):
        PhoneSet(("AA", "B", "AA"))


def test_pairs_are_sorted_by_id():
    assert PhoneSet.from_pairs([("B", 1), ("AA", 0)], "phones.txt").names == ("AA", "B")
    with pytest.raises(
        DataError, match=r"phones\.txt: ids must be 0, 1, 2, \.\.\.; found \[0, 2\]"
    ):
        PhoneSet.from_pairs([("B", 2), ("AA", 0)], "phones.txt")


def test_numbered_phones_are_named_by_their_ids():
    assert PhoneSet.numbered(3).names == ("0", "1", "2")


def test_arpabet_has_71_labels_with_stress():
    assert len(ARPABET_71) == 71
    assert ARPABET_71.names[:5] == ("SIL", "SPN", "AA0", "AA1", "AA2")
    assert ARPABET_71.silence_ids == (0, 1)


@pytest.mark.parametrize(
    ("names", "line"),
    [
        (HW1P2_40[0].names, "40 phones in the order of CMU 11-785: 0 [SIL], 1 AA, ..., 39 ZH"),
        (ARPABET_71.names, "71 phones in the order of CMU 11-785: 0 SIL, 1 SPN, ..., 70 ZH"),
        (("a", "b", "c"), "3 phones in alphabetical order: 0 a, 1 b, 2 c"),
        (("sil", "aa"), "2 phones in a given order: 0 sil, 1 aa"),
        (("0", "1"), "2 numbers without names"),
        (("0",), "1 number without names"),
        (("sil",), "1 phone in alphabetical order: 0 sil"),
    ],
)
def test_the_numbering_of_labels_is_one_line(names, line):
    assert describe_numbering(PhoneSet(names)) == f"labels: {line}"
