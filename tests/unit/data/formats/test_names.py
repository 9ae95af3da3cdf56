"""Tiers are found by name, by pattern or as one of several; Unicode forms are made one."""

from pathlib import Path

import pytest

from framesweep.data.formats.names import normalize_name, select_tier
from framesweep.errors import DataError

GRID = Path("a.TextGrid")


@pytest.mark.parametrize(
    ("names", "wanted", "index"),
    [
        (["words", "phones"], "phones", 1),
        (["anna - words", "anna - phones"], "phones", 1),
        (["words", "ORT-MAU", "MAU-phones"], "*phone*", 2),
        (["MAU", "words"], "phones|phone|MAU", 0),
        (["phone", "MAU"], "phones|phone|MAU", 0),
        (["a|b", "a"], "a|b", 0),
        (["phones [auto]", "phones a"], "phones [auto]", 0),
    ],
)
def test_tier_is_found_by_name_pattern_or_alternatives(names, wanted, index):
    assert select_tier(GRID, names, wanted) == index


@pytest.mark.parametrize(
    ("names", "wanted"),
    [
        (["phones", "phones"], "phones"),
        (["my phones", "your phones"], "*phones"),
        (["anna - phones", "bob - phones"], "phones"),
        (["words"], "phones|MAU"),
        ([], "*"),
    ],
)
def test_no_tier_or_several_are_refused(names, wanted):
    with pytest.raises(DataError, match=r"a\.TextGrid: must have exactly one interval tier"):
        select_tier(GRID, names, wanted)


def test_both_unicode_forms_of_a_name_become_the_composed_one():
    assert normalize_name("Jose\u0301") == normalize_name("Jos\u00e9") == "Jos\u00e9"
    assert normalize_name("Jose") == "Jose"
