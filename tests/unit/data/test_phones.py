"""Phone sets and foldings."""

import pytest

from framesweep.data.phones import ARPABET_71, FOLDINGS, TIMIT_61, PhoneSet, foldings

TIMIT = PhoneSet(tuple(TIMIT_61.split()))


def folded(phones):
    return {folding.name: folding.classes(phones) for folding in foldings(phones)}


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


def test_39_merges_just_lee_and_hons_groups():
    classes, phones = folded(TIMIT)["39"]
    by_class = {}
    for name, label in zip(TIMIT.names, classes, strict=True):
        by_class.setdefault(label, set()).add(name)
    assert by_class.pop(-1) == {"q"}
    merged = {frozenset(names) for names in by_class.values() if len(names) > 1}
    assert merged == {frozenset(group.split()) for group in SCORED_AS_ONE}
    assert "sil" in phones


def test_48_folds_on_to_39():
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
def test_sets_that_nothing_merges_have_no_folding(names):
    assert foldings(PhoneSet(tuple(names))) == ()


def test_every_phone_a_folding_reaches_is_itself_known():
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
def test_silence_by_the_names_of_the_field(names, ids):
    assert PhoneSet(names).silence_ids == ids
