"""Stored configs become configs for the device and the corpus."""

from dataclasses import asdict, replace

import pytest

from framesweep.bench.gpu import cases
from framesweep.bench.gpu.cases import MODELS, VARIANTS, Setup, read_configs


@pytest.fixture
def setup(tmp_path) -> Setup:
    return Setup("cpu", tmp_path, 300, (16,), steps=1, rounds=1)


@pytest.mark.parametrize("name", [*MODELS, *VARIANTS])
def test_every_case_has_a_config(setup, name):
    config = setup.config(name)
    assert config.hardware.device == "cpu"
    assert config.data.root == str(setup.folder.absolute() / "random-300-40")
    assert config.tracking.backend == "none"


def test_values_replace_those_of_the_config(setup):
    config = setup.config("hw1p2", {"train.batch_size": 7, "optim.lr": 0.5})
    assert (config.train.batch_size, config.optim.lr) == (7, 0.5)


@pytest.mark.parametrize("lost", ["train", "base"])
def test_a_config_or_key_that_is_not_yet_stored_is_named_with_the_fix(setup, lost, monkeypatch):
    stored = read_configs()
    del (stored if lost == "base" else stored["base"]["config"])[lost]
    monkeypatch.setattr(cases, "read_configs", lambda: stored)
    with pytest.raises(KeyError, match=rf"configs\.json lacks {lost}\. Run: make gpu-configs"):
        setup.config("base")


def test_a_key_that_does_not_exist_cannot_be_changed(setup):
    with pytest.raises(KeyError, match=r"train\.no_such_key"):
        setup.config("hw1p2", {"train.no_such_key": 7})


@pytest.mark.parametrize("name", MODELS)
def test_an_exact_case_draws_no_random_numbers(setup, name):
    experiment = setup.build(f"{name}, exact")
    assert experiment.config.model.dropout == 0
    assert getattr(experiment.config.model, "conv_dropout", 0) == 0
    assert experiment.components.augment is None


def test_a_gpu_gets_the_networks_as_they_are(tmp_path):
    setup = Setup("cuda", tmp_path, 300, (16,), steps=1, rounds=1)
    stored = read_configs()["conv"]["config"]["model"]
    assert asdict(setup.config("conv").model) == stored
    rehearsed = replace(setup, device="cpu").config("conv").model
    assert asdict(rehearsed) != stored
    assert asdict(rehearsed)["conv_channels"] == [4, 4]
