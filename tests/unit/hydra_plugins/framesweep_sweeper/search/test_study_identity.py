import optuna
import pytest
from optuna.storages import InMemoryStorage

from hydra_plugins.framesweep_sweeper._errors import SweepError
from hydra_plugins.framesweep_sweeper.search._space_reader import read_space
from hydra_plugins.framesweep_sweeper.search._study_identity import (
    StudyIdentity,
    build_identity,
    choose_extension,
    choose_name,
    create_study_if_missing,
    derive_name,
    read_identity,
    record_extension,
)


def make_identity(*arguments, directions=("maximize",), free=("tracking", "data.root")):
    return build_identity(read_space({}, list(arguments)), list(directions), list(free))


def test_a_name_is_derived_from_the_searched_keys():
    space = read_space({}, ["model.width=choice(1,2)", "a.b=range(1,3)"])
    assert derive_name(space) == "b-width"
    same_ends = ["model.lr=choice(1,2)", "optim.lr=choice(1,2)"]
    assert derive_name(read_space({}, same_ends)) == "model.lr-optim.lr"
    many = [f"some.rather_long_key_{i}=choice(1,2)" for i in range(20)]
    assert len(derive_name(read_space({}, many))) <= 80


def test_free_overrides_are_no_part_of_the_identity():
    one = make_identity(
        "a=choice(1,2)", "b=1", "tracking.uri=x", "tracking=none", "data.root=/x"
    )
    assert one.fixed == {"b": "1"}
    other = make_identity("a=choice(1,2)", "b=1", "data.rooted=1")
    assert other.fixed["data.rooted"] == "1"


def test_passwords_are_no_part_of_the_identity(storage):
    one, other = (make_identity("a=choice(1,2)", f"uri=http://ann:{p}@h") for p in ("p1", "p2"))
    assert "p1" not in str(one)
    assert one == other
    create_study_if_missing(storage, "new", one)
    optuna.load_study(study_name="new", storage=storage).set_user_attr(
        "fixed_overrides", {"uri": r"http\://ann\:p1@h"}
    )  # as earlier versions stored it
    assert other.list_differences(read_identity(storage, "new")) == []


def test_a_study_whose_database_user_an_earlier_version_hid_is_resumed(storage):
    identity = make_identity("a=choice(1,2)", "uri=postgresql://ann@h/d")
    assert identity.fixed == {"uri": r"postgresql\://***@h/d"}


def test_differences_name_the_key_and_both_values():
    old = make_identity("a=choice(1,2)", "b=1")
    new = make_identity("a=choice(1,3)", "c=2", directions=["minimize"])
    assert new.list_differences(old) == [
        ("a", "choice(1, 2)", "choice(1, 3)"),
        ("b", "1", "-"),
        ("c", "-", "2"),
        ("direction", "maximize", "minimize"),
    ]
    assert old.list_differences(old) == []


def test_an_override_that_became_free_since_the_study_began_does_not_count():
    study = make_identity("a=choice(1,2)", "b=1", "data.workers=4", free=())
    now = make_identity("a=choice(1,2)", "b=1", "data.workers=8", free=("data.workers",))
    assert now.list_differences(study) == []
    later = make_identity("a=choice(1,2)", "b=1", free=("b",))
    assert later.list_differences(study) == [("data.workers", "4", "-")]


@pytest.fixture
def storage():
    return InMemoryStorage()


def test_the_same_search_finds_its_study_among_those_of_its_name(storage):
    first, second = make_identity("a=choice(1,2)"), make_identity("a=choice(1,3)")
    create_study_if_missing(storage, choose_name(storage, first, None, "a", False), first)
    name = choose_name(storage, second, None, "a", True)
    assert name == "a-2"
    create_study_if_missing(storage, name, second)
    assert choose_name(storage, first, None, "a", False) == "a"
    assert choose_name(storage, second, None, "a", False) == "a-2"
    assert choose_name(storage, second, None, "a", True) == "a-3"


def test_another_search_is_refused_with_the_differences(storage):
    create_study_if_missing(storage, "a", make_identity("a=choice(1,2)"))
    with pytest.raises(SweepError) as error:
        choose_name(storage, make_identity("a=choice(1,3)"), None, "a", False)
    assert str(error.value).splitlines() == [
        "study a: must search what it was created with; nothing was changed. Found:",
        "     in the study  now",
        "  a  choice(1, 2)  choice(1, 3)",
    ]


def test_a_given_name_stands_for_that_study_only(storage):
    create_study_if_missing(storage, "a-2", make_identity("a=choice(1,2)"))
    assert choose_name(storage, make_identity("a=choice(1,3)"), "a", "x", False) == "a"


def test_a_study_that_optuna_made_can_be_resumed_and_gets_an_identity(storage):
    optuna.create_study(storage=storage, study_name="a", direction="maximize")
    identity = make_identity("a=choice(1,2)", free=())
    assert read_identity(storage, "a") is None
    assert choose_name(storage, identity, "a", "x", False) == "a"
    create_study_if_missing(storage, "a", identity)
    assert read_identity(storage, "a") == identity


def test_the_stored_identity_keeps_the_form_of_version_0_1(storage):
    study_id = create_study_if_missing(storage, "a", make_identity("a=choice(1,2)", "b=1"))
    assert storage.get_study_user_attrs(study_id) == {
        "search_space": {"a": "choice(1, 2)"},
        "fixed_overrides": {"b": "1"},
    }
    stored = StudyIdentity({"a": "choice(1, 2)"}, {"b": "1"}, ("maximize",))
    assert read_identity(storage, "a") == stored


def test_an_extension_records_what_is_different():
    storage = InMemoryStorage()
    create_study_if_missing(storage, "s", make_identity("a=choice(1,2)", "b=1"))
    other = make_identity("a=choice(1,2,3)", "b=1", "c=4")
    assert choose_extension(storage, other, "new") == ("new", None)
    assert choose_extension(storage, other, "s") == ("s-2", "s")
    create_study_if_missing(storage, "s-2", other)
    record_extension(storage, "s-2", "s")
    assert choose_extension(storage, other, "s") == ("s-2", None)
    assert choose_extension(storage, make_identity("a=choice(1,2)", "b=1"), "s") == ("s", None)
    assert optuna.load_study(study_name="s-2", storage=storage).user_attrs["extends"] == {
        "study": "s",
        "changes": [("a", "choice(1, 2)", "choice(1, 2, 3)"), ("c", "-", "4")],
    }
