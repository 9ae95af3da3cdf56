"""A search space under the present and the earlier names of its keys."""

import pytest

from hydra_plugins.framesweep_sweeper.search._renamed_keys import read_spaces, rename_key
from hydra_plugins.framesweep_sweeper.search._space_reader import read_space

RENAMED = {"lever": "ablation"}


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("lever=a", "ablation=a"),
        ("lever", "ablation"),
        ("++lever=choice(a,b)", "++ablation=choice(a,b)"),
        ("~lever", "~ablation"),
        ("lever@package=a", "ablation@package=a"),
        ("levers=lever", "levers=lever"),
        ("data.lever=1", "data.lever=1"),
    ],
)
def test_only_the_whole_key_is_renamed(override, expected):
    assert rename_key(override, RENAMED) == expected


@pytest.mark.parametrize("typed", ["lever", "ablation"])
def test_a_renamed_key_gives_a_space_under_each_name(typed):
    present, earlier = read_spaces({"seed": "choice(0,1)"}, [f"{typed}=choice(a,b)"], RENAMED)
    assert present == read_space({"seed": "choice(0,1)"}, ["ablation=choice(a,b)"])
    assert earlier == read_space({"seed": "choice(0,1)"}, ["lever=choice(a,b)"])


def test_what_is_typed_under_the_earlier_name_replaces_what_is_configured_under_the_present():
    params = {"ablation": "choice(a,b,c)"}
    present, earlier = read_spaces(params, ["lever=choice(a,b)"], RENAMED)
    assert present == read_space({}, ["ablation=choice(a,b)"])
    assert earlier == read_space({}, ["lever=choice(a,b)"])


@pytest.mark.parametrize("when", ["lever=a", ["lever=a"]])
def test_conditions_name_the_renamed_key_too(when):
    params = {"lever": "choice(a,b)", "x": {"when": when, "space": "choice(1,2)"}}
    present, _ = read_spaces(params, [], RENAMED)
    (condition,) = present.dimensions[1].conditions
    assert str(condition) == "ablation=a"


def test_without_a_renamed_key_there_is_one_space():
    assert read_spaces({"a": "choice(1,2)"}, ["b=1"], RENAMED) == [
        read_space({"a": "choice(1,2)"}, ["b=1"])
    ]
