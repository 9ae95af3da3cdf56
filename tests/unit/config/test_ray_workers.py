"""The workers of a Ray cluster find the files of the command that uses them."""

from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from framesweep.config.composition import register
from framesweep.config.groups import find_conf
from framesweep.config.ray_workers import describe_worker_environment, enter_folder


def test_workers_get_framesweeps_variables_without_credentials():
    environment = {
        "FRAMESWEEP_OUTPUTS": "mine",
        "FRAMESWEEP_TRACKING_URI": "http://ann:s3cret@host",
        "OTHER": "1",
    }
    assert describe_worker_environment("/here", environment) == {
        "FRAMESWEEP_OUTPUTS": "mine",
        "FRAMESWEEP_FOLDER": "/here",
    }


@pytest.mark.parametrize("exists", [True, False])
def test_a_worker_enters_the_folder_of_the_command_if_it_has_it(tmp_path, monkeypatch, exists):
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "here"
    if exists:
        folder.mkdir()
    monkeypatch.setenv("FRAMESWEEP_FOLDER", str(folder))
    enter_folder()
    assert Path.cwd() == (folder if exists else tmp_path)


def test_the_preset_of_ray_names_the_folder_of_the_command(monkeypatch):
    register()
    monkeypatch.setenv("FRAMESWEEP_OUTPUTS", "mine")
    with initialize_config_dir(str(find_conf())):
        config = compose("config", ["hydra/launcher=ray"], return_hydra_config=True)
    OmegaConf.set_readonly(config.hydra, False)
    config.hydra.runtime.cwd = "/here"
    started: Any = OmegaConf.to_container(config.hydra.launcher.ray.init, resolve=True)
    variables = started["runtime_env"]["env_vars"]
    assert variables["FRAMESWEEP_FOLDER"] == "/here"
    assert variables["FRAMESWEEP_OUTPUTS"] == "mine"
