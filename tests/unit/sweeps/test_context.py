"""What a run learns about its sweep, from the trial or from the environment."""

from types import SimpleNamespace

import pytest
from hydra.core.hydra_config import HydraConfig
from omegaconf import OmegaConf

from framesweep.sweeps import context
from framesweep.sweeps.context import SweepContext, find_sweep_context
from framesweep.sweeps.grid_parent import select_sweep_overrides


def test_there_is_no_context_outside_of_a_sweep():
    assert find_sweep_context() == SweepContext()


def test_the_context_of_a_trial_names_its_study_and_params(monkeypatch):
    trial = SimpleNamespace(
        study_name="s",
        number=7,
        attempt=2,
        params={"data.context": 5, "model.dropout": 0.123456},
        study_attr={context.PARENT_ATTR: "abc"}.get,
    )
    monkeypatch.setattr(context, "current_trial", lambda: trial)
    found = find_sweep_context()
    assert found.parent_run_id == "abc"
    assert found.name == "trial 7: context=5 dropout=0.1235"
    assert found.tags == {"study": "s", "trial": "7", "attempt": "2"}
    assert found.to_params() == {"_swept/data.context": 5, "_swept/model.dropout": 0.123456}
    assert sorted([*found.to_params(), "augment.x", "data.context"])[0].startswith("_swept/")


@pytest.fixture
def grid_job(monkeypatch):
    monkeypatch.setenv(context.PARENT_VARIABLE, "abc")
    monkeypatch.setenv(context.SWEPT_VARIABLE, "model data.context")
    overrides = ["model=small", "data.context=5", "train.epochs=1"]
    hydra = OmegaConf.create({"hydra": {"overrides": {"task": overrides}}})
    monkeypatch.setattr(HydraConfig.instance(), "cfg", hydra)


def test_the_context_of_a_grid_job_contains_its_swept_overrides(grid_job):
    found = find_sweep_context()
    assert found.parent_run_id == "abc"
    assert found.swept == {"model": "small", "data.context": "5"}
    assert found.name == "model=small context=5"


def test_keys_of_a_trial_lose_their_override_syntax(monkeypatch):
    trial = SimpleNamespace(
        study_name="s",
        number=0,
        attempt=1,
        params={"++optim.lr": 0.5, "+model@net": "small"},
        study_attr={}.get,
    )
    monkeypatch.setattr(context, "current_trial", lambda: trial)
    found = find_sweep_context()
    assert found.to_params() == {"_swept/optim.lr": 0.5, "_swept/model": "small"}
    assert found.name == "trial 0: lr=0.5 model=small"


def test_swept_keys_of_a_grid_are_recognized_in_its_jobs(monkeypatch):
    command = ["++optim.lr=1,2", "model@net=small,wide", "~augment.noise"]
    swept = select_sweep_overrides(command)
    assert swept == {"optim.lr": "1,2", "model": "small,wide"}
    monkeypatch.setenv(context.PARENT_VARIABLE, "abc")
    monkeypatch.setenv(context.SWEPT_VARIABLE, " ".join(swept))
    overrides = ["++optim.lr=1", "model@net=small", "~augment.noise"]
    hydra = OmegaConf.create({"hydra": {"overrides": {"task": overrides}}})
    monkeypatch.setattr(HydraConfig.instance(), "cfg", hydra)
    assert find_sweep_context().swept == {"optim.lr": "1", "model": "small"}
