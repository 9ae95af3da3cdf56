import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from hydra_plugins.framesweep_sweeper._errors import SweepError
from hydra_plugins.framesweep_sweeper.search._space import format_distribution, read_space


def nothing(key):
    return None


def suggested(space, values, default_of=nothing):
    return space.suggest(optuna.trial.FixedTrial(values), default_of)


def distributions(space):
    return {d.key: d.distribution for d in space.searched}


def test_command_line_goes_before_the_config():
    space = read_space({"a": "choice(1,2)", "b": "interval(0.0,1.0)"}, ["a=3", "c=range(1,4)"])
    assert distributions(space) == {
        "b": FloatDistribution(0.0, 1.0),
        "c": IntDistribution(1, 3),
    }
    assert space.fixed == {"a": "3"}


@pytest.mark.parametrize("given", ["++a=0.1", "+a=0.1", "a=0.1"])
def test_a_value_takes_the_place_of_a_search_however_it_is_set(given):
    for params, arguments in (({"a": "interval(0,1)"}, []), ({}, ["a=interval(0,1)"])):
        space = read_space(params, [*arguments, given])
        assert not space.searched
        assert suggested(space, {}) == [given]


def test_a_search_takes_the_place_of_a_value_however_it_is_set():
    space = read_space({"a": 3}, ["+a=4", "++a=choice(1,2)"])
    assert suggested(space, {"++a": 2}) == ["++a=2"]


def test_a_key_that_is_deleted_is_not_searched():
    space = read_space({"a": "interval(0,1)", "b": 1}, ["~a", "~b"])
    assert not space.searched
    assert suggested(space, {}) == ["~a", "~b"]


def test_a_group_in_two_packages_is_two_keys():
    space = read_space({"db@old": "choice(x,y)"}, ["db@new=x"])
    assert suggested(space, {"db@old": "y"}) == ["db@old=y", "db@new=x"]


def test_null_is_a_value():
    params = {"a": None, "b": {"when": "a=null", "space": None}, "c": "choice(1,2)"}
    space = read_space(params | {"d": {"when": "e=null", "space": True}}, [])
    assert suggested(space, {"c": 1}) == ["b=null", "c=1", "d=True", "a=null"]


@given(st.integers(-50, 50), st.integers(1, 40), st.integers(1, 7))
def test_range_means_what_a_grid_means_by_it(start, length, step):
    stop = start + length
    (dimension,) = read_space({}, [f"a=range({start},{stop},{step})"]).searched
    d = dimension.distribution
    assert list(range(d.low, d.high + 1, d.step)) == list(range(start, stop, step))


@pytest.mark.parametrize(
    "distribution",
    [
        CategoricalDistribution([1, 2.5, "x"]),
        IntDistribution(1, 9),
        IntDistribution(2, 10, step=4),
        IntDistribution(1, 1000, log=True),
        FloatDistribution(0.0, 0.5),
        FloatDistribution(1e-5, 0.1, log=True),
        FloatDistribution(0.0, 1.0, step=0.25),
    ],
)
def test_a_distribution_is_described_as_one_would_type_it(distribution):
    (dimension,) = read_space({}, [f"a={format_distribution(distribution)}"]).searched
    assert dimension.distribution == distribution


CONDITIONAL = {
    "optim.momentum": {"when": "optim=sgd,muon", "space": "interval(0.8,0.99)"},
    "optim.nesterov": {"when": ["optim=sgd", "model=wide"], "space": "true"},
    "optim": "choice(adam,sgd)",
}


def test_children_follow_their_parents_choice():
    space = read_space(CONDITIONAL, ["model=wide"])
    assert suggested(space, {"optim": "adam"}) == ["optim=adam", "model=wide"]
    assert suggested(space, {"optim": "sgd", "optim.momentum": 0.9}) == [
        "optim=sgd",
        "optim.momentum=0.9",
        "optim.nesterov=True",
        "model=wide",
    ]


def test_a_parent_that_nothing_sets_has_the_value_of_the_config():
    space = read_space({k: v for k, v in CONDITIONAL.items() if k != "optim"}, [])
    choices = {"optim": "muon", "model": "wide"}
    assert suggested(space, {"optim.momentum": 0.85}, choices.get) == ["optim.momentum=0.85"]


def test_list_choices_and_deletions_pass_through():
    space = read_space({}, ["model.widths=choice([512,256],[1024])", "~augment"])
    (dimension,) = space.searched
    assert dimension.distribution.choices == ("[512,256]", "[1024]")
    assert suggested(space, {"model.widths": "[1024]"}) == ["model.widths=[1024]", "~augment"]


@pytest.mark.parametrize(
    ("params", "arguments", "says"),
    [
        ({"a": "range(1,5,0)"}, [], "step"),
        ({"a": "range(5,1)"}, [], "at least one value"),
        ({"a": "interval(2.0,1.0)"}, [], "a: "),
        ({"a": "tag(log, interval(0.0,1.0))"}, [], "a: "),
        ({"a": "choice(1,"}, [], "hydra.sweeper.params.a"),
        ({"a": "choice(null,5)"}, [], "NoneType is incompatible"),
        ({"a": "choice(1,\n2"}, [], "hydra.sweeper.params.a"),
        ({}, ["a=choice(1,"], "command line"),
        ({"a": {"when": "b=1"}}, [], "`when` and `space`"),
        ({"a": {"when": "b", "space": "choice(1,2)"}}, [], "key=value"),
        (
            {
                "a": {"when": "b=1", "space": "choice(1,2)"},
                "b": {"when": "a=1", "space": "choice(1,2)"},
            },
            [],
            "circle",
        ),
    ],
)
def test_what_cannot_be_understood_is_refused_in_one_line(params, arguments, says):
    with pytest.raises(SweepError) as error:
        read_space(params, arguments)
    assert says in str(error.value)
    assert "\n" not in str(error.value)
