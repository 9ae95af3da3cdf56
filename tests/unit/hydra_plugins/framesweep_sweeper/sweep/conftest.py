import pytest
from omegaconf import OmegaConf

from hydra_plugins.framesweep_sweeper._pruner_schemas import NopPrunerConf
from hydra_plugins.framesweep_sweeper.config import FramesweepSweeperConf


@pytest.fixture
def make_settings(url):
    """Return a function that returns the settings of `hydra.sweeper` with some changes."""

    def make(**changes):
        conf = OmegaConf.structured(FramesweepSweeperConf)
        conf.storage = url
        conf.sampler = {"_target_": "optuna.samplers.RandomSampler"}
        conf.pruner = NopPrunerConf()
        conf.merge_with(changes)
        return {key: conf[key] for key in conf}

    return make
