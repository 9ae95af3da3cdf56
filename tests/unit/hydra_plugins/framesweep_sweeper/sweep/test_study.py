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
        f"Give {key}=true or another hydra.sweeper.study_name to start a new study"
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
