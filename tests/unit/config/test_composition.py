"""Composed and saved configs."""

import copy
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hydra import compose as hydra_compose
from hydra import initialize_config_dir
from hydra.core.config_store import ConfigStore
from omegaconf import ListConfig, OmegaConf

import configs
from framesweep.config import SCHEMAS, OptimConfig
from framesweep.config.composition import (
    compose,
    directions,
    dump,
    load,
    process_id,
    register,
    to_run_config,
)
from framesweep.config.groups import find_conf
from framesweep.errors import ConfigError
from framesweep.system import gpus
from framesweep.system.gpus import Gpu

register()


def test_folders_are_absolute_from_where_they_were_typed(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    config = compose(["data=hw1p2", "data.root=corpus", "data.cache='~/cache'", "outputs=out"])
    assert config.data.root == str(tmp_path / "corpus")
    assert config.data.cache == str(Path.home() / "cache")
    assert config.outputs == str(tmp_path / "out")
    assert compose(["data=demo"]).data.root is None
    with initialize_config_dir(str(find_conf())):
        composed = hydra_compose("config", ["outputs=out", "data.root=/corpus"])
    config = to_run_config(composed, Path("/started/here"))
    assert (config.outputs, config.data.root) == ("/started/here/out", "/corpus")


@pytest.mark.parametrize("data", ["hw1p2", "hw1p2_folders", "segments"])
def test_a_phone_list_is_the_same_file_from_any_directory(data, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    data_config: Any = compose([f"data={data}", "data.phones=phones.txt"]).data
    assert data_config.phones == str(tmp_path / "phones.txt")


def call_in_fork(function):
    reader, writer = os.pipe()
    if os.fork() == 0:
        os.write(writer, function().encode())
        os._exit(0)
    os.wait()
    return os.read(reader, 100).decode()


def test_a_forked_process_names_its_directories_differently():
    assert process_id() == process_id()
    assert call_in_fork(process_id) != process_id()


def test_jobs_in_other_processes_have_the_directories_of_the_command():
    """Hydra gives a command's resolvers to the processes of its launcher."""
    register()
    config = OmegaConf.create({"directory": "runs/${framesweep.id:}"})
    assert call_in_fork(lambda: config.directory) == config.directory


@pytest.mark.parametrize(
    "overrides",
    [
        [],
        ["outputs=here", "seed=3", "seed=4"],
        ["model.dropout=0.3", "model=wide", "+tracking.tags.a='b c'", "data.context=null"],
        ["recipe=quick", "data=segments", "data.root=/x", "model.conv_channels=[8,16]"],
        ["sweep=bare", "hydra.sweeper.n_trials=3", "tracking.tags={}", "train.epochs=2"],
        ["data.contxt=3"],
        ["train.epochs=1,2"],
        ["train.epochs=many"],
        ["modl=wide"],
    ],
)
def test_what_tests_compose_faster_is_what_the_command_line_composes(overrides):
    def outcome(function):
        try:
            return function(overrides)
        except Exception as error:
            return type(error), str(error)

    assert outcome(configs.compose) == outcome(compose)


def test_the_phone_list_of_kaldi_starts_at_its_root():
    data_config: Any = compose(["data=kaldi", "data.phones=phones.txt"]).data
    assert data_config.phones == "phones.txt"


def test_a_config_of_an_earlier_version_keeps_the_numbers_of_its_phones():
    text = dump(compose(["data=hw1p2_folders"])).partition("\n")[2]

    def phone_order(text: str, *overrides: str) -> str:
        data_config: Any = load(text, list(overrides), "config.yaml").data
        return data_config.phone_order

    assert phone_order(text) == "course"
    earlier = text.replace("    phone_order: course\n", "")
    assert earlier != text
    assert phone_order(earlier) == "alphabetical"
    assert phone_order(earlier, "data.phone_order=course") == "course"


def test_a_saved_config_is_read_with_overrides():
    config = compose(["model=tdnn", "data.context=25"])
    again = load(dump(config), ["train.epochs=3", "data.root=/elsewhere"], "config.yaml")
    assert (again.train.epochs, again.data.root) == (3, "/elsewhere")
    again.train.epochs, again.data.root = config.train.epochs, config.data.root
    assert again == config


def test_paths_that_replace_those_of_a_saved_config_are_absolute(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    config = compose(["data=hw1p2", "data.root=/corpus", "outputs=/out"])
    config.data.cache = "typed/elsewhere"
    overrides = ["data.root=rel", "data.phones=~/phones.txt", "outputs=~/out"]
    again: Any = load(dump(config), overrides, "config.yaml")
    assert again.data.root == str(tmp_path / "rel")
    assert again.data.phones == str(Path.home() / "phones.txt")
    assert again.outputs == str(Path.home() / "out")
    assert again.data.cache == "typed/elsewhere"


def test_every_command_that_composes_knows_the_home_directory():
    assert compose(["data=hw1p2", "data.root=~/x"]).data.root == str(Path.home() / "x")


@pytest.mark.parametrize(
    ("override", "line"),
    [
        ("model=wide", "model: options cannot be chosen for a run that exists"),
        ("recipe=quick", "recipe: options cannot be chosen for a run that exists"),
        ("data.contxt=5", "data.contxt: must be an existing key with a valid value ("),
        ("data.context=x", "data.context: must be an existing key with a valid value ("),
        ("data.root=[a", "data.root: must be an existing key with a valid value ("),
        ("data.root=@x", "data.root: must be an existing key with a valid value ("),
    ],
)
def test_an_override_that_does_not_fit_is_named(override, line):
    with pytest.raises(ConfigError) as caught:
        load(dump(compose([])), ["train.epochs=3", override], "config.yaml")
    assert str(caught.value).startswith(line)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "text", ["", "a: [", "schemas: 1", "schemas: {data: none}\nconfig: {}"]
)
def test_a_damaged_config_is_named(text):
    with pytest.raises(ConfigError, match=r"^config\.yaml: must be the config of a run \("):
        load(text, [], "config.yaml")


def test_a_search_follows_the_direction_of_each_metric():
    assert directions("dev/accuracy", ListConfig(["model/params", "dev/loss"])) == [
        "maximize",
        "minimize",
        "minimize",
    ]


def test_the_direction_of_an_unknown_metric_is_left_to_validation():
    assert directions("dev/acuracy", ListConfig([])) == ["maximize"]


def test_a_schema_that_no_file_includes_is_an_option_by_itself(monkeypatch):
    @dataclass(kw_only=True, slots=True)
    class OtherConfig(OptimConfig):
        rho: float = 0.05

    monkeypatch.setitem(SCHEMAS, "optim", SCHEMAS["optim"] | {"other": OtherConfig})
    store = ConfigStore.instance()
    monkeypatch.setattr(store, "repo", copy.deepcopy(store.repo))
    register()
    config = compose(["optim=other", "optim.rho=0.1"])
    assert config.optim == OtherConfig(rho=0.1)
    assert load(dump(config), [], "config.yaml") == config


def test_a_saved_config_that_was_damaged_or_cut_off_is_refused():
    text = dump(compose([]))
    for damaged in (text.replace("context: 25", "context: 24"), text[:-20]):
        with pytest.raises(ConfigError, match=r"config\.yaml: must be as it was written"):
            load(damaged, [], "config.yaml")


def test_a_config_without_a_checksum_is_loaded_as_earlier_versions_wrote_it():
    config = compose(["train.epochs=7"])
    assert load(dump(config).partition("\n")[2], [], "config.yaml") == config


@pytest.mark.parametrize(
    ("launcher", "overrides", "machine_has_gpu", "expected"),
    [
        ("submitit_slurm", ["hardware.processes=2"], False, 2),
        ("submitit_slurm", ["hardware=cuda"], False, 1),
        ("submitit_slurm", ["hardware=cpu"], True, None),
        ("ray", ["hardware.processes=2"], True, 2),
        ("ray", [], False, None),
        ("ray", ["hardware=cuda"], False, 1),
        ("ray", ["hardware=cpu"], True, None),
        ("ray", ["hardware=cpu", "+hydra.launcher.ray.remote.num_gpus=3"], True, 3),
    ],
)
def test_the_presets_of_schedulers_request_gpus(
    monkeypatch, launcher, overrides, machine_has_gpu, expected
):
    found = Gpu("Tesla T4", "") if machine_has_gpu else None
    monkeypatch.setattr(gpus, "detect_gpu", lambda: found)
    with initialize_config_dir(str(find_conf())):
        overrides = [f"hydra/launcher={launcher}", *overrides]
        launcher = hydra_compose("config", overrides, return_hydra_config=True).hydra.launcher
    resources = launcher.ray.remote if "ray" in launcher else launcher
    assert resources["num_gpus" if "ray" in launcher else "gpus_per_node"] == expected


def test_each_local_worker_of_a_search_has_a_gpu_per_process():
    with initialize_config_dir(str(find_conf())):
        overrides = ["sweep=bare", "hardware.processes=2"]
        sweeper = hydra_compose("config", overrides, return_hydra_config=True).hydra.sweeper
    assert sweeper.devices_per_job == 2
