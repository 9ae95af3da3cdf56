"""The overrides of a call from Python."""

from pathlib import Path

import pytest

from framesweep.api.overrides import read_overrides
from framesweep.errors import ConfigError


def test_overrides_are_any_iterable_of_texts():
    assert read_overrides(("model=wide", "data.context=15")) == [
        "model=wide",
        "data.context=15",
    ]
    assert read_overrides(f"seed={i}" for i in range(2)) == ["seed=0", "seed=1"]


def test_the_home_directory_is_expanded():
    assert read_overrides(["data.root=~/x"]) == [f"data.root={Path.home()}/x"]


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ("model=wide", r"overrides: must be a list of texts .*; found 'model=wide'"),
        (None, r"overrides: must be a list of texts .*; found None"),
        ({"seed": 1}, r"overrides: must be a list of texts .*; found {'seed': 1}"),
        ([""], r'overrides: must be texts such as "train.epochs=3"; found \'\''),
        ([3], r'overrides: must be texts such as "train.epochs=3"; found 3'),
        (["-m"], r"overrides: must contain no flag; found '-m'. Call sweep instead of train"),
        (["--help"], r"overrides: must contain no flag; found '--help'. Flags belong to"),
    ],
)
def test_anything_else_is_rejected_in_one_line(given, line):
    with pytest.raises(ConfigError, match=line):
        read_overrides(given)


def test_a_sweep_accepts_the_flag_that_its_command_needs():
    assert read_overrides(["-m", "seed=1,2"], in_sweep=True) == ["seed=1,2"]


def test_an_earlier_name_of_a_group_is_warned_of_where_the_call_is():
    def train():
        read_overrides(["lever=cosine"])

    def user():
        train()

    with pytest.warns(FutureWarning, match="Type ablation=cosine") as warned:
        user()
    assert warned[0].filename == __file__
