"""How a run gets its name."""

import pytest
from hydra.core.hydra_config import HydraConfig
from omegaconf import OmegaConf

from configs import compose
from framesweep.config.composition import register
from framesweep.runs.reporting.run_name import name_run
from framesweep.sweeps.context import SweepContext

register()


@pytest.fixture
def hydra_job(monkeypatch):
    hydra = {"overrides": {"task": ["model=wide", "data.context=15", "tracking.uri=x"]}}
    cfg = OmegaConf.create({"hydra": hydra})
    monkeypatch.setattr(HydraConfig.instance(), "cfg", cfg)


def test_a_run_is_named_by_the_overrides_of_its_command_line(hydra_job):
    assert name_run(compose([]), SweepContext()) == "model=wide data.context=15"


def test_a_given_name_comes_first_and_then_that_of_the_sweep(hydra_job):
    sweep = SweepContext(name="trial 3: context=5")
    assert name_run(compose([]), sweep) == "trial 3: context=5"
    assert name_run(compose(["tracking.run_name=mine"]), sweep) == "mine"


def test_without_hydra_a_run_is_named_by_what_differs_from_the_defaults():
    assert "optim.beta1=0.5" in name_run(compose(["optim.beta1=0.5"]), SweepContext()).split()
