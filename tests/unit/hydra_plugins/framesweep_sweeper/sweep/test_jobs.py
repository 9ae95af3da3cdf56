from typing import Any

import pytest
from omegaconf import OmegaConf

from hydra_plugins.framesweep_sweeper._errors import SweepError
from hydra_plugins.framesweep_sweeper.search._space_reader import read_space
from hydra_plugins.framesweep_sweeper.sweep._jobs import prepare_job


class FakeContext:
    """Composes a config from the overrides that it was given."""

    def __init__(self):
        self.config_loader = self

    def load_sweep_config(self, config, overrides):
        return OmegaConf.create({"overrides": overrides, "hydra": {"job": {}}})


def accept(claim, config):
    """Let every job run."""


@pytest.fixture
def config():
    return OmegaConf.create({"size": 3, "hydra": {"runtime": {"choices": {"optim": "sgd"}}}})


@pytest.fixture
def queue(make_queue):
    return make_queue()


@pytest.fixture
def prepare(queue, config):
    """Return a function that prepares the job of the next trial with these parameters."""

    def prepare(params, custom=None):
        context: Any = FakeContext()
        space, claim = read_space(params, []), queue.claim(9)
        return prepare_job(space, context, config, custom, accept, claim)

    return prepare


def test_a_job_has_its_number_its_overrides_and_the_number_of_its_claim(prepare, queue):
    prepare({"a": "choice(7)"})
    job = prepare({"a": "choice(7)"})
    assert job.number == 1
    assert job.overrides == ["a=7", "++hydra.job.env_set.FRAMESWEEP_CLAIM='1'"]
    assert job.config == {"overrides": job.overrides, "hydra": {"job": {"id": "1", "num": 1}}}
    assert queue.get_trials()[1].user_attrs == {"overrides": ["a=7"]}


def test_a_study_stores_overrides_without_their_passwords(queue, config):
    context: Any = FakeContext()
    space = read_space({"a": "choice(7)"}, [r"uri=http://ann:s3cret@host?token\=abc"])
    job = prepare_job(space, context, config, None, accept, queue.claim(9))
    assert "s3cret" in str(job.overrides)
    (trial,) = queue.get_trials()
    assert trial.user_attrs["overrides"][0] == "a=7"
    stored = str(trial.user_attrs)
    assert "s3cret" not in stored
    assert "abc" not in stored
    assert "***@host" in stored


def test_conditions_on_keys_that_are_not_set_use_the_config_and_its_groups(prepare):
    job = prepare(
        {
            "a": {"when": "optim=sgd", "space": "1"},
            "b": {"when": "optim=adam", "space": "1"},
            "c": {"when": "size=3", "space": "1"},
        }
    )
    assert job.overrides[:-1] == ["a=1", "c=1"]


def test_a_custom_search_space_adds_overrides(prepare, config):
    seen = []

    def custom(given, trial):
        seen.append(given)
        trial.suggest_int("depth", 5, 5)

    job = prepare({"a": "choice(7)"}, custom)
    assert job.overrides[:-1] == ["a=7", "depth=5"]
    assert seen == [config]


def test_a_trial_that_is_tried_again_keeps_what_the_custom_search_space_suggested(
    queue, config
):
    def custom(given, trial):
        trial.suggest_int("depth", 5, 5)

    context: Any = FakeContext()
    space, claim = read_space({"a": "choice(7)"}, []), queue.claim(9)
    for _ in range(2):
        job = prepare_job(space, context, config, custom, accept, claim)
        assert job.overrides[:-1] == ["a=7", "depth=5"]


def test_the_custom_search_space_must_not_suggest_a_fixed_key(queue, config):
    def custom(given, trial):
        trial.suggest_int("+depth", 5, 5)

    context: Any = FakeContext()
    space = read_space({"a": "choice(7)"}, ["depth=3"])
    with pytest.raises(SweepError, match=r"^depth: must not have a fixed value.*; found 3\."):
        prepare_job(space, context, config, custom, accept, queue.claim(9))
