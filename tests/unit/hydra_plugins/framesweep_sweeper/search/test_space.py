import optuna
import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import given
from hypothesis import strategies as st
from optuna.distributions import FloatDistribution, IntDistribution

from hydra_plugins.framesweep_sweeper._errors import SweepError
from hydra_plugins.framesweep_sweeper.search._space import read_space


def no_default(key):
    return None


def suggest(space, values, default_of=no_default):
    return space.suggest(optuna.trial.FixedTrial(values), default_of)


def get_distributions(space):
    return {d.key: d.distribution for d in space.searched}


def test_the_command_line_takes_precedence_over_the_config():
    space = read_space({"a": "choice(1,2)", "b": "interval(0.0,1.0)"}, ["a=3", "c=range(1,4)"])
    assert get_distributions(space) == {
        "b": FloatDistribution(0.0, 1.0),
        "c": IntDistribution(1, 3),
    }
    assert space.fixed == {"a": "3"}


@pytest.mark.parametrize("given", ["++a=0.1", "+a=0.1", "a=0.1"])
def test_a_value_replaces_a_search_whatever_its_prefix(given):
    for params, arguments in (({"a": "interval(0,1)"}, []), ({}, ["a=interval(0,1)"])):
        space = read_space(params, [*arguments, given])
        assert not space.searched
        assert suggest(space, {}) == [given]


def test_a_search_replaces_a_value_whatever_its_prefix():
    space = read_space({"a": 3}, ["+a=4", "++a=choice(1,2)"])
    assert suggest(space, {"++a": 2}) == ["++a=2"]


def test_a_deleted_key_is_not_searched():
    space = read_space({"a": "interval(0,1)", "b": 1}, ["~a", "~b"])
    assert not space.searched
    assert suggest(space, {}) == ["~a", "~b"]


def test_a_group_in_two_packages_is_two_keys():
    space = read_space({"db@old": "choice(x,y)"}, ["db@new=x"])
    assert suggest(space, {"db@old": "y"}) == ["db@old=y", "db@new=x"]


def test_null_is_a_value():
    params = {"a": None, "b": {"when": "a=null", "space": None}, "c": "choice(1,2)"}
    space = read_space(params | {"d": {"when": "e=null", "space": True}}, [])
    assert suggest(space, {"c": 1}) == ["b=null", "c=1", "d=True", "a=null"]


@given(st.integers(-50, 50), st.integers(1, 40), st.integers(1, 7))
def test_a_range_has_the_same_values_as_in_a_grid(start, length, step):
    stop = start + length
    (dimension,) = read_space({}, [f"a=range({start},{stop},{step})"]).searched
    d = dimension.distribution
    assert list(range(d.low, d.high + 1, d.step)) == list(range(start, stop, step))


CONDITIONAL = {
    "optim.momentum": {"when": "optim=sgd,muon", "space": "interval(0.8,0.99)"},
    "optim.nesterov": {"when": ["optim=sgd", "model=wide"], "space": "true"},
    "optim": "choice(adam,sgd)",
}


def test_conditional_keys_are_set_only_where_their_conditions_hold():
    space = read_space(CONDITIONAL, ["model=wide"])
    assert suggest(space, {"optim": "adam"}) == ["optim=adam", "model=wide"]
    assert suggest(space, {"optim": "sgd", "optim.momentum": 0.9}) == [
        "optim=sgd",
        "optim.momentum=0.9",
        "optim.nesterov=True",
        "model=wide",
    ]


def test_a_condition_on_a_key_that_nothing_sets_uses_the_configs_value():
    space = read_space({k: v for k, v in CONDITIONAL.items() if k != "optim"}, [])
    choices = {"optim": "muon", "model": "wide"}
    assert suggest(space, {"optim.momentum": 0.85}, choices.get) == ["optim.momentum=0.85"]


def test_conditions_are_part_of_the_description():
    described = read_space(CONDITIONAL, []).describe()
    assert described["optim"] == "choice(adam, sgd)"
    assert described["optim.momentum"] == "interval(0.8, 0.99) when optim=muon,sgd"


def test_choices_of_lists_and_deletions_are_passed_to_hydra_as_they_are():
    space = read_space({}, ["model.widths=choice([512,256],[1024])", "~augment"])
    (dimension,) = space.searched
    assert dimension.distribution.choices == ("[512,256]", "[1024]")
    assert suggest(space, {"model.widths": "[1024]"}) == ["model.widths=[1024]", "~augment"]


def test_texts_reach_hydra_as_in_a_plain_grid():
    space = read_space({"b": "choice(adam, 'x: y')"}, ['a=choice("a, b","c=d (1)",[1,2],3)'])
    assert space.searched[1].distribution.choices == ("a, b", "c=d (1)", "[1,2]", 3)
    for stored, value in (("a, b", "a, b"), ("c=d (1)", "c=d (1)"), ("[1,2]", [1, 2]), (3, 3)):
        overrides = suggest(space, {"a": stored, "b": "x: y"})
        parsed = OverridesParser.create().parse_overrides(overrides)
        assert [override.value() for override in parsed] == ["x: y", value]


def test_conditions_and_quoted_texts_go_together():
    params = {"a": {"when": "b=1", "space": "choice('p, q', r)"}, "b": "choice(1)"}
    (_, override) = suggest(read_space(params, []), {"a": "p, q", "b": 1})
    assert OverridesParser.create().parse_override(override).value() == "p, q"


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
        ({"a": "tag(log, interval(0.0,1.0))"}, [], "a: "),
        ({"a": "choice(1,"}, [], "hydra.sweeper.params.a"),
        (
            {"a": "choice(null,5)"},
            [],
            "choice(...) must not contain null",
        ),
        ({"a": "interval(0,1).tag(log)"}, [], "Type tag(log, interval(0,1))"),
        ({"a": "intervall(0,1)"}, [], "Did you mean interval(...)?"),
        ({}, ["a=glob(*)"], "a: glob(...) has no meaning in a search; found a=glob(*)"),
        ({"a": "choice(1,\n2"}, [], "hydra.sweeper.params.a"),
        ({}, ["a=choice(1,"], "command line"),
        ({"a": {"when": "b=1"}}, [], "`when` and `space`"),
        ({"a": {"when": "b", "space": "choice(1,2)"}}, [], "key=value"),
        (CYCLE, [], "conditions must not form a cycle; found a -> b -> a"),
    ],
)
def test_a_malformed_space_is_refused_in_one_line(params, arguments, says):
    with pytest.raises(SweepError) as error:
        read_space(params, arguments)
    assert says in str(error.value)
    assert "\n" not in str(error.value)
