"""What a sweep does before its first trial, and what it leaves where it cannot begin."""

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf
from optuna.storages import InMemoryStorage

from hydra_plugins.framesweep_sweeper._errors import SweepError
from hydra_plugins.framesweep_sweeper.config import FramesweepSweeperConf, NopPrunerConf
from hydra_plugins.framesweep_sweeper.search._space import read_space
from hydra_plugins.framesweep_sweeper.sweep import _run


class Listener:
    """Notes what it is told; its application has one objective."""

    def __init__(self):
        self.told = []

    def objectives(self, config):
        return ["accuracy"]

    def on_start(self, study, config):
        self.told.append("start")

    def on_end(self, study, status):
        self.told.append(status)


@pytest.fixture
def database(tmp_path):
    return tmp_path / "studies.db"


@pytest.fixture
def config(tmp_path):
    hydra = {
        "runtime": {"cwd": str(tmp_path), "choices": {}},
        "sweep": {"dir": str(tmp_path)},
        "sweeper": {"study_name": None, "new": False},
        "overrides": {"hydra": []},
    }
    return OmegaConf.create({"hydra": hydra})


def settings_with(database, **settings):
    conf = OmegaConf.structured(FramesweepSweeperConf)
    conf.storage = f"sqlite:///{database}"
    conf.sampler = {"_target_": "optuna.samplers.RandomSampler"}
    conf.pruner = NopPrunerConf()
    conf.merge_with(settings)
    return {key: conf[key] for key in conf}


@pytest.fixture
def begin(database, config, monkeypatch):
    """Begins a sweep that `listener` follows."""

    def begin(listener, **settings):
        monkeypatch.setattr(_run, "build_listener", lambda _: listener)
        given = settings_with(database, **settings)
        return _run.run_sweep(given, None, lambda _: 0.5, config, ["x=interval(0.0,1.0)"])

    return begin


def test_no_listener_is_left_without_an_end(begin, monkeypatch):
    def fail(*args):
        raise RuntimeError("no workers")

    monkeypatch.setattr(_run, "open_pool", fail)
    listener = Listener()
    with pytest.raises(RuntimeError, match="no workers"):
        begin(listener)
    assert listener.told == []


def test_a_search_space_that_is_not_there_leaves_nothing_behind(begin, database):
    listener = Listener()
    with pytest.raises(SweepError, match=r"custom_search_space: must be .*; found no\.such$"):
        begin(listener, custom_search_space="no.such")
    assert listener.told == []
    assert not database.exists()


def test_directions_are_as_many_as_objectives(begin, database):
    with pytest.raises(SweepError) as error:
        begin(Listener(), direction=["maximize", "minimize"])
    assert str(error.value) == (
        "hydra.sweeper.direction: must be one for each objective (accuracy); "
        "found maximize, minimize. Give 1"
    )
    assert not database.exists()


@pytest.mark.parametrize("name", ["plain", "тест", "1.10", "null", "0x1f"])
def test_jobs_are_told_the_name_as_it_is(config, database, name):
    settings = settings_with(database, study_name=name)
    space = read_space({}, ["x=interval(0.0,1.0)"])
    study = _run.open_study(settings, InMemoryStorage(), space, config)
    (override,) = OverridesParser.create().parse_overrides(list(config.hydra.overrides.hydra))
    assert override.key_or_group == "hydra.sweeper.study_name"
    assert override.value() == name == study.study_name
