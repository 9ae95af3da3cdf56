import pytest
from optuna.storages import InMemoryStorage

from hydra_plugins.framesweep_sweeper._errors import SweepError
from hydra_plugins.framesweep_sweeper.search._space import read_space
from hydra_plugins.framesweep_sweeper.search._study_identity import (
    build_identity,
    choose_name,
    create_study_if_missing,
    derive_name,
)


def identity(*arguments, directions=("maximize",), free=("tracking", "data.root")):
    return build_identity(read_space({}, list(arguments)), list(directions), list(free))


def test_name_comes_from_what_is_searched():
    assert (
        derive_name(read_space({}, ["model.width=choice(1,2)", "a.b=range(1,3)"])) == "b-width"
    )
    twins = ["model.lr=choice(1,2)", "optim.lr=choice(1,2)"]
    assert derive_name(read_space({}, twins)) == "model.lr-optim.lr"
    many = [f"some.rather_long_key_{i}=choice(1,2)" for i in range(20)]
    assert len(derive_name(read_space({}, many))) <= 80


def test_free_overrides_do_not_count():
    one = identity("a=choice(1,2)", "b=1", "tracking.uri=x", "tracking=none", "data.root=/x")
    assert one.fixed == {"b": "1"}
    assert identity("a=choice(1,2)", "b=1", "data.rooted=1").fixed["data.rooted"] == "1"


def test_differences_name_key_old_and_new():
    old = identity("a=choice(1,2)", "b=1")
    new = identity("a=choice(1,3)", "c=2", directions=["minimize"])
    assert new.differences(old) == [
        ("a", "choice(1, 2)", "choice(1, 3)"),
        ("b", "1", "-"),
        ("c", "-", "2"),
        ("direction", "maximize", "minimize"),
    ]
    assert old.differences(old) == []


def test_an_override_that_became_free_since_the_study_began_does_not_count():
    study = identity("a=choice(1,2)", "b=1", "data.workers=4", free=())
    now = identity("a=choice(1,2)", "b=1", "data.workers=8", free=("data.workers",))
    assert now.differences(study) == []
    assert identity("a=choice(1,2)", "b=1", free=("b",)).differences(study) == [
        ("data.workers", "4", "-")
    ]


@pytest.fixture
def storage():
    return InMemoryStorage()


def test_the_same_search_finds_its_study_among_the_family(storage):
    first, second = identity("a=choice(1,2)"), identity("a=choice(1,3)")
    create_study_if_missing(storage, choose_name(storage, first, None, "a", False), first)
    name = choose_name(storage, second, None, "a", True)
    assert name == "a-2"
    create_study_if_missing(storage, name, second)
    assert choose_name(storage, first, None, "a", False) == "a"
    assert choose_name(storage, second, None, "a", False) == "a-2"
    assert choose_name(storage, second, None, "a", True) == "a-3"


def test_another_search_is_refused_with_the_difference(storage):
    create_study_if_missing(storage, "a", identity("a=choice(1,2)"))
    with pytest.raises(SweepError) as error:
        choose_name(storage, identity("a=choice(1,3)"), None, "a", False)
    assert "choice(1, 2)" in str(error.value)
    assert "choice(1, 3)" in str(error.value)


def test_a_given_name_is_not_looked_for_in_a_family(storage):
    create_study_if_missing(storage, "a-2", identity("a=choice(1,2)"))
    assert choose_name(storage, identity("a=choice(1,3)"), "a", "x", False) == "a"
