import itertools

import pytest
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException

from hydra_plugins.framesweep_sweeper.grid import GridSweeper


def split(*arguments, size=None, sweeper=GridSweeper):
    return sweeper.split_arguments(OverridesParser.create().parse_overrides([*arguments]), size)


@pytest.mark.parametrize("size", [None, 1, 4])
def test_a_grid_without_pairs_is_that_of_hydra(size):
    arguments = ["a=1,2", "b=choice('x, y',z)", "c=3", "d=range(3)", "a=5,6", "~e"]
    assert split(*arguments, size=size) == split(*arguments, size=size, sweeper=BasicSweeper)


def test_paired_keys_take_their_values_together():
    pairs = ["a=tag(zip,choice(1,2,3))", "b=tag(zip,choice('x, y',[1,2],4))"]
    (points,) = split(pairs[0], "c=0,1", pairs[1])
    expected = [("a=1", "b=x\\,\\ y"), ("a=2", "b=[1,2]"), ("a=3", "b=4")]
    assert points == [[*pair, c] for pair, c in itertools.product(expected, ("c=0", "c=1"))]


def test_several_zips_are_combined_with_each_other():
    tags = {"a": "zip", "b": "zip", "c": "zip_2", "d": "zip_2"}
    (points,) = split(*(f"{key}=tag({tag},choice(1,2))" for key, tag in tags.items()))
    assert points == [[f"a={i}", f"b={i}", f"c={j}", f"d={j}"] for i in (1, 2) for j in (1, 2)]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["a=tag(zip,choice(1,2))"], "must pair two or more keys; found a with 2 values"),
        (
            ["a=tag(zip,choice(1,2))", "b=tag(zip,range(3))"],
            "equally many values; found a with 2 values, b with 3 values",
        ),
        (
            ["a=range(1,5,0)"],
            "a: the step of range(...) must not be zero; found a=range(1,5,0)",
        ),
        (["a=interval(0,1)"], "does not support sweep type : INTERVAL_SWEEP"),
        (
            ["a=tag(zp,choice(1,2))", "b=tag(zp,choice(1,2))"],
            "a: a tag must be log, or begin with zip; found zp in a=tag(zp,choice(1,2))",
        ),
        (["a=tag(zip,zip2,choice(1,2))"], "must have one tag that begins with zip"),
    ],
)
def test_a_wrong_grid_is_refused_in_one_line(arguments, says):
    with pytest.raises(HydraException) as error:
        split(*arguments)
    assert says in str(error.value)
    assert "\n" not in str(error.value)
