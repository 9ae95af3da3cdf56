import subprocess
import sys

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from hydra_plugins.framesweep_sweeper._errors import SweepError
from hydra_plugins.framesweep_sweeper.search._zips import (
    list_paired_values,
    read_zip,
    require_pairs,
)


def parse(text):
    return OverridesParser.create().parse_override(text)


@pytest.mark.parametrize(
    ("override", "tag"),
    [
        ("a=tag(zip,choice(1,2))", "zip"),
        ("a=tag(other,zip_2,range(3))", "zip_2"),
        ("a=tag(log,interval(1,2))", ""),
        ("a=1,2", ""),
        ("a=zip", ""),
        ("~a", ""),
    ],
)
def test_a_tag_that_begins_with_zip_pairs_a_key(override, tag):
    assert read_zip(parse(override)) == tag


def test_values_keep_their_order():
    assert list_paired_values(parse("a=tag(zip,range(6,0,-2))")) == [6, 4, 2]
    assert list_paired_values(parse("a=tag(zip,choice(b,[1,2],a))")) == ["b", "[1,2]", "a"]


@pytest.mark.parametrize("override", ["tag(zip,interval(0,1))", "tag(zip,zip2,choice(1,2))"])
def test_what_cannot_be_paired_is_refused(override):
    with pytest.raises(SweepError, match=r"^a: "):
        read_zip(parse(f"a={override}"))


def test_pairs_have_two_keys_and_equally_many_values():
    require_pairs({"zip": {"a": 2, "b": 2}, "zip2": {"c": 1, "d": 1, "e": 1}})
    with pytest.raises(SweepError, match="must pair two or more keys; found a with 1 value"):
        require_pairs({"zip": {"a": 1}})
    with pytest.raises(SweepError, match="found a with 2 values, b with 3 values"):
        require_pairs({"zip": {"a": 2, "b": 3}})


def test_a_grid_starts_without_optuna():
    code = (
        "import hydra_plugins.framesweep_sweeper.grid, sys; sys.exit('optuna' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
