from typing import Any

import optuna
import pytest
from omegaconf import OmegaConf
from optuna.samplers import RandomSampler

from hydra_plugins.framesweep_sweeper.search._bounded_history import BoundedSampler
from hydra_plugins.framesweep_sweeper.search._history import HistorySampler
from hydra_plugins.framesweep_sweeper.search._prior import PriorSampler
from hydra_plugins.framesweep_sweeper.search._space_reader import read_space
from hydra_plugins.framesweep_sweeper.sweep._sampling import plan_sampler, read_defaults


class Defaults:
    """Composes a config with x=0.25 and what the overrides change."""

    def __init__(self):
        self.config_loader = self

    def load_sweep_config(self, config, overrides):
        return OmegaConf.merge({"x": 0.25, **config}, OmegaConf.from_dotlist(overrides))


class Broken(Defaults):
    def load_sweep_config(self, config, overrides):
        raise ValueError("no such option")


DEFAULTS: Any = Defaults()
BROKEN: Any = Broken()


@pytest.fixture
def space():
    params = {"+x": "interval(0.0,1.0)", "n": "choice(1,2,3)", "optim": "choice(adam,sgd)"}
    return read_space(params, ["fixed=3"])


CONFIG = OmegaConf.create({"n": None, "hydra": {"runtime": {"choices": {"optim": "sgd"}}}})
SAMPLER = OmegaConf.create({"_target_": "optuna.samplers.RandomSampler", "seed": 0})
PRIOR = OmegaConf.merge(SAMPLER, {"prior_trials": 5})


def test_the_defaults_are_the_values_that_the_config_has(space):
    assert read_defaults(space, DEFAULTS, CONFIG) == {"+x": 0.25, "optim": "sgd"}


def test_a_config_that_cannot_be_composed_has_no_defaults(space):
    assert read_defaults(space, BROKEN, CONFIG) == {}


def test_only_a_sampler_with_a_prior_gets_the_defaults(space):
    settings, prior = ({"sampler": node, "max_history": 9} for node in (SAMPLER, PRIOR))
    assert type(plan_sampler(settings, BROKEN, CONFIG, space, [])(0)) is RandomSampler
    assert type(plan_sampler(prior, DEFAULTS, CONFIG, space, [])(0)) is PriorSampler
    study = optuna.create_study()
    study.add_trial(optuna.trial.create_trial(value=1.0))
    planned = plan_sampler(prior, DEFAULTS, CONFIG, space, study.trials)
    assert type(planned(0)) is HistorySampler


def test_tpe_with_a_prior_learns_from_a_bounded_number_of_trials(space):
    tpe = OmegaConf.merge(PRIOR, {"_target_": "optuna.samplers.TPESampler"})
    settings = {"sampler": tpe, "max_history": 9}
    planned = plan_sampler(settings, DEFAULTS, CONFIG, space, [])(0)
    assert type(planned) is BoundedSampler
