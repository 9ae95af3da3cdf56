import optuna
import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from hydra_plugins.framesweep_sweeper.search._space_reader import read_space


def no_default(key):
    return None


def suggest(space, values, default_of=no_default):
    return suggest_in(optuna.trial.FixedTrial(values), space, default_of)


def suggest_in(trial, space, default_of=no_default):
    return space.suggest(trial, default_of)


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


def test_a_condition_that_never_holds_is_named():
    assert read_space(CONDITIONAL, []).list_unreachable() == []
    assert read_space(CONDITIONAL, ["optim=choice(adam,radam)"]).list_unreachable() == [
        "optim.momentum is never searched, because optim has only the choices adam, radam, "
        "and not muon, sgd",
        "optim.nesterov is never searched, because optim has only the choices adam, radam, "
        "and not sgd",
    ]


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


PAIRED = ["a=tag(zip,choice(5,5,10))", "b=tag(zip,choice(x,'p, q',z))"]


def test_a_paired_value_follows_from_the_one_that_is_chosen():
    study = optuna.create_study()
    study.enqueue_trial({"b": "p, q"})
    trial = study.ask()
    overrides = suggest_in(trial, read_space({}, PAIRED))
    assert overrides == ["b=p\\,\\ q", "a=5"]
    assert trial.params == {"b": "p, q", "a": 5}
    assert suggest_in(trial, read_space({}, PAIRED)) == overrides  # as when it is resumed


def test_samplers_choose_pairs_only():
    space = read_space({"c": "choice(1,2)"}, PAIRED)
    assert [d.key for d in space.sampled] == ["c", "b"]
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=0, n_startup_trials=3))
    for _ in range(12):
        trial = study.ask()
        suggest_in(trial, space)
        assert (trial.params["b"], trial.params["a"]) in [("x", 5), ("p, q", 5), ("z", 10)]
        study.tell(trial, trial.params["a"])


def test_a_condition_on_a_paired_value_that_follows_is_met():
    params = {"c": {"when": "a=10", "space": "choice(1,2)"}}
    space = read_space(params, PAIRED)
    assert suggest(space, {"b": "z", "a": 10, "c": 2}) == ["b=z", "a=10", "c=2"]
    assert suggest(space, {"b": "x", "a": 5}) == ["b=x", "a=5"]


def test_pairs_are_part_of_the_description():
    described = read_space({}, PAIRED).describe()
    assert described == {
        "b": "tag(zip, choice(x, p, q, z))",
        "a": "tag(zip, choice(5, 5, 10))",
    }
