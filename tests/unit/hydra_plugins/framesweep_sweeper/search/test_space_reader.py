import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.distributions import FloatDistribution, IntDistribution

from hydra_plugins.framesweep_sweeper._errors import SweepError
from hydra_plugins.framesweep_sweeper.search._space_reader import read_space


def get_distributions(space):
    return {d.key: d.distribution for d in space.searched}


def test_the_command_line_takes_precedence_over_the_config():
    space = read_space({"a": "choice(1,2)", "b": "interval(0.0,1.0)"}, ["a=3", "c=range(1,4)"])
    assert get_distributions(space) == {
        "b": FloatDistribution(0.0, 1.0),
        "c": IntDistribution(1, 3),
    }
    assert space.fixed == {"a": "3"}


@given(st.integers(-50, 50), st.integers(1, 40), st.integers(1, 7))
def test_a_range_has_the_same_values_as_in_a_grid(start, length, step):
    stop = start + length
    (dimension,) = read_space({}, [f"a=range({start},{stop},{step})"]).searched
    d = dimension.distribution
    assert list(range(d.low, d.high + 1, d.step)) == list(range(start, stop, step))


CYCLE = {
    "a": {"when": "b=1", "space": "choice(1,2)"},
    "b": {"when": "a=1", "space": "choice(1,2)"},
}


@pytest.mark.parametrize(
    ("params", "arguments", "says"),
    [
        ({"a": "range(1,5,0)"}, [], "step"),
        ({"a": "range(5,1)"}, [], "at least one value"),
        ({"a": "interval(2.0,1.0)"}, [], "a: "),
        ({"a": "tag(log, interval(0.0,1.0))"}, [], "a: the first bound must be above 0"),
        ({"a": "choice(1,"}, [], "hydra.sweeper.params.a"),
        ({"a": "interval(0,inf)"}, [], "a: the bounds must be finite; found a=interval(0,inf)"),
        ({"a": "interval(nan,1)"}, [], "a: the bounds must be finite"),
        ({"a": "tag(log, range(1,9))"}, [], "a: tag(log, ...) needs interval(...)"),
        (
            {},
            ["a=tag(log,choice(1,9))"],
            "Type int(tag(log, interval(A, B))) for whole numbers",
        ),
        ({"a": {"when": None, "space": "1,2"}}, [], "a.when: must be key=value or key=value"),
        (
            {"a": "choice(null,5)"},
            [],
            "choice(...) must not contain null",
        ),
        (
            {"a": "tag(lgo, interval(1,2))"},
            [],
            "a: a tag must be log, or begin with zip; found lgo",
        ),
        ({}, ["a=tag(zip, Log, choice(1,2))"], "found Log in a=tag(zip, Log, choice(1,2))"),
        ({"a": "interval(0,1).tag(log)"}, [], "Type tag(log, interval(0,1))"),
        ({"a": "intervall(0,1)"}, [], "Did you mean interval(...)?"),
        ({}, ["a=glob(*)"], "a: glob(...) has no meaning in a search; found a=glob(*)"),
        ({}, ["a=interval(2,1)"], "a: the first bound must not be above the second; found a="),
        ({"a": "choice(1,\n2"}, [], "hydra.sweeper.params.a"),
        ({}, ["a=choice(1,"], "command line"),
        ({"a": {"when": "b=1"}}, [], "`when` and `space`"),
        ({"a": {"when": "b", "space": "choice(1,2)"}}, [], "key=value"),
        ({"a": "tag(zip, choice(1,2))"}, [], "must pair two or more keys; found a with 2"),
        ({"a": "tag(zip, choice(1,2))"}, ["b=tag(zip,choice(1))"], "a with 2 values, b with 1"),
        ({}, [f"{key}=tag(zip,choice(1,1))" for key in "ab"], "must have each value once"),
        ({}, ["a=tag(zip,interval(0,1))", "b=tag(zip,choice(1,2))"], "a: a paired key needs"),
        (
            {"a": {"when": "c=1", "space": "tag(zip, choice(1,2))"}},
            ["b=tag(zip,choice(1,2))"],
            "the same conditions; found a, b",
        ),
        (CYCLE, [], "conditions must not form a cycle; found a -> b -> a"),
    ],
)
def test_a_malformed_space_is_refused_in_one_line(params, arguments, says):
    with pytest.raises(SweepError) as error:
        read_space(params, arguments)
    assert says in str(error.value)
    assert "\n" not in str(error.value)
