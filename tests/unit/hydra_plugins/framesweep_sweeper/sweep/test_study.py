import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf
from optuna.pruners import NopPruner
from optuna.storages import InMemoryStorage

from hydra_plugins.framesweep_sweeper._errors import SweepError
from hydra_plugins.framesweep_sweeper.search._renamed_keys import read_spaces
from hydra_plugins.framesweep_sweeper.search._space_reader import read_space
from hydra_plugins.framesweep_sweeper.sweep._study import open_study, select_space


@pytest.fixture
def config():
    sweeper = {"study_name": None, "new": False}
    return OmegaConf.create({"hydra": {"sweeper": sweeper, "overrides": {"hydra": []}}})


@pytest.fixture
def storage():
    return InMemoryStorage()


@pytest.fixture
def open_with(storage, config, make_settings):
    """Return a function that opens the study of a command, with these settings changed."""

    def open_(*arguments, **changes):
        space = read_space({}, list(arguments))
        return open_study(make_settings(**changes), storage, space, config)

    return open_


@pytest.mark.parametrize("name", ["plain", "тест", "1.10", "null", "0x1f"])
def test_jobs_get_the_name_of_the_study_unchanged(config, open_with, name):
    study = open_with("x=interval(0.0,1.0)", study_name=name)
    (override,) = OverridesParser.create().parse_overrides(list(config.hydra.overrides.hydra))
    assert override.key_or_group == "hydra.sweeper.study_name"
    assert override.value() == config.hydra.sweeper.study_name == name == study.study_name


def test_a_study_is_created_with_the_pruner_and_the_directions_of_the_settings(open_with):
    study = open_with("x=interval(0.0,1.0)", direction=["maximize", "minimize"])
    assert study.study_name == "x"
    assert [d.name for d in study.directions] == ["MAXIMIZE", "MINIMIZE"]
    assert isinstance(study.pruner, NopPruner)


@pytest.mark.parametrize(
    ("new", "key"), [(False, "hydra.sweeper.new"), ("${again.new}", "again.new")]
)
def test_a_contradiction_names_the_key_that_starts_a_new_study(config, open_with, new, key):
    config.again = {"new": False}
    config.hydra.sweeper.new = new
    open_with("x=interval(0.0,1.0)")
    with pytest.raises(SweepError) as error:
        open_with("x=interval(0.0,2.0)")
    lines = str(error.value).splitlines()
    assert lines[-2].split("  ")[-2:] == ["interval(0.0, 1.0)", "interval(0.0, 2.0)"]
    assert lines[-1] == (
        f"Give {key}=true or another hydra.sweeper.study_name to start a new study, or "
        "hydra.sweeper.extend=true to continue with what is new"
    )


def test_a_study_that_was_created_under_the_earlier_name_of_a_key_keeps_it(
    storage, config, make_settings
):
    settings = make_settings()
    present, earlier = read_spaces({}, ["new=choice(1,2)"], {"old": "new"})
    assert select_space(settings, storage, [present, earlier]) is present

    open_study(settings, storage, earlier, config)
    assert select_space(settings, storage, [present, earlier]) is earlier
    assert select_space(make_settings(new=True), storage, [present, earlier]) is present
    others = read_spaces({}, ["new=choice(1,2,3)"], {"old": "new"})
    assert select_space(settings, storage, others) is others[0]

    open_study(settings, storage, present, config)
    assert select_space(settings, storage, [present, earlier]) is present


def test_a_changed_space_extends_the_study_and_is_then_continued(open_with):
    first = open_with("x=interval(0.0,1.0)", "epochs=3")
    for _ in range(2):  # the second time, the extension exists
        second = open_with("x=interval(0.0,2.0)", "epochs=4", extend=True)
        assert (first.study_name, second.study_name) == ("x", "x-2")
    assert second.user_attrs["extends"] == {
        "study": "x",
        "changes": [("epochs", "3", "4"), ("x", "interval(0.0, 1.0)", "interval(0.0, 2.0)")],
    }
    third = open_with("x=interval(0.0,2.0)", "epochs=5", extend=True)
    assert third.user_attrs["extends"]["study"] == "x-2"


@pytest.mark.parametrize("name", [None, "mine"])
def test_what_has_not_changed_is_not_extended(open_with, name):
    for _ in range(2):
        study = open_with("x=interval(0.0,1.0)", extend=True, study_name=name)
        assert study.study_name == (name or "x")
    assert "extends" not in study.user_attrs


def test_a_study_that_was_given_a_name_is_extended_under_that_name(open_with):
    open_with("x=interval(0.0,1.0)", study_name="mine")
    study = open_with("y=interval(0.0,1.0)", study_name="mine", extend=True)
    assert (study.study_name, study.user_attrs["extends"]["study"]) == ("mine-2", "mine")


def test_other_directions_cannot_extend_a_study(open_with):
    open_with("x=interval(0.0,1.0)")
    with pytest.raises(SweepError, match="must have the same objectives to be extended"):
        open_with("x=interval(0.0,1.0)", extend=True, direction="maximize")
