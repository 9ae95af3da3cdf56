"""The configs that travel with the project are those that Hydra composes today."""

import pytest

from framesweep.bench.gpu.cases import CONFIGS, read_configs
from framesweep.bench.gpu.compose_configs import list_overrides, render_configs

FIX = "run make gpu-configs"


@pytest.mark.parametrize("name", ["hw1p2", "tdnn", "muon"])
def test_the_stored_keys_are_current(name):
    rendered = render_configs({name: list_overrides()[name]})
    lines = CONFIGS.read_text("utf-8").splitlines()
    stored = [line.rstrip(",") for line in lines if line.startswith(f'"{name}": ')]
    assert stored == rendered.splitlines()[1:-1], FIX


@pytest.mark.heavy
def test_all_stored_configs_are_current():
    assert CONFIGS.read_text("utf-8") == render_configs(list_overrides()), FIX


def test_no_config_is_missing():
    assert list(read_configs()) == list(list_overrides()), FIX
