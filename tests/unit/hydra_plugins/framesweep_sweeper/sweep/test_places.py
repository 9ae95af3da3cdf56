"""Where a study is kept, and what a sweep writes about itself."""

import pytest
from omegaconf import OmegaConf

from hydra_plugins.framesweep_sweeper.search._space_reader import read_space
from hydra_plugins.framesweep_sweeper.sweep._places import locate_storage, write_multirun


@pytest.fixture
def config(tmp_path):
    hydra = {
        "runtime": {"cwd": str(tmp_path)},
        "sweep": {"dir": "multirun/${hydra.sweeper.study_name}"},
        "sweeper": {"study_name": None, "storage": None},
        "overrides": {"hydra": []},
    }
    config = OmegaConf.create({"hydra": hydra})
    OmegaConf.set_readonly(config.hydra, True)
    return config


@pytest.fixture
def space():
    return read_space({}, ["a.x=interval(0,1)", "y=choice(1,2)"])


def test_a_given_storage_is_made_absolute(config, space, tmp_path):
    assert locate_storage("sqlite:///s.db", space, config) == f"sqlite:///{tmp_path}/s.db"
    assert config.hydra.sweeper.storage is None


def test_without_a_storage_the_study_is_in_the_folder_of_the_sweep(config, space, tmp_path):
    url = locate_storage(None, space, config)
    assert url == f"sqlite:///{tmp_path}/multirun/x-y/study.db"
    assert config.hydra.sweeper.storage == url
    # The configs that are composed for jobs must have the same sweeper.
    assert config.hydra.overrides.hydra == [
        "hydra.sweeper.study_name='x-y'",
        f"hydra.sweeper.storage='{url}'",
    ]


def test_a_given_name_is_part_of_that_folder(config, space, tmp_path):
    OmegaConf.set_readonly(config.hydra, False)
    config.hydra.sweeper.study_name = "mine"
    assert locate_storage(None, space, config).endswith("/multirun/mine/study.db")


def test_the_config_of_a_sweep_is_written_without_logins(config, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    OmegaConf.set_readonly(config.hydra, False)
    config.hydra.sweeper.study_name = "s"
    config.hydra.sweeper.storage = "postgresql://ann:s3cret@host/studies"
    write_multirun(config)
    (path,) = (tmp_path / "multirun" / "s").iterdir()
    assert path.name == "multirun.yaml"
    written = OmegaConf.load(path)
    assert written.hydra.sweeper.storage == "postgresql://***@host/studies"
    assert written.hydra.runtime.cwd == str(tmp_path)
