"""What a config describes, built."""

from dataclasses import replace

import pytest
import torch

from configs import compose
from framesweep.config.composition import register
from framesweep.data.chunks import FrameChunks
from framesweep.data.store.run_store import find_cache
from framesweep.data.windows import Windows
from framesweep.errors import ConfigError
from framesweep.runs import experiment as module
from framesweep.runs.experiment import build_experiment
from toy import NAMES, ToyCorpus, write_hw1p2

register()


@pytest.fixture
def config(tmp_path):
    """A config of a tiny network on a toy corpus."""
    root = write_hw1p2(tmp_path / "corpus", ToyCorpus())
    data = ["data=hw1p2", f"data.root={root}", f"outputs={tmp_path}", "data.context=2"]
    return compose([*data, "model.widths=[8,4]", "hardware.threads=1", "hardware=cpu"])


def test_an_experiment_has_all_that_trains(config):
    experiment = build_experiment(config)
    assert isinstance(experiment.train, Windows)
    assert (experiment.train.num_frames, experiment.dev.num_frames) == (158, 50)
    assert experiment.widths == (8, 4)
    num_params = sum(p.numel() for p in experiment.components.model.parameters())
    assert experiment.num_params == num_params
    assert experiment.plan.epochs == config.train.epochs


@pytest.mark.parametrize("network", [[], ["model=tdnn", "model.dilations=[1,1]"]])
def test_an_experiment_trains_on_a_share_without_another_store(config, network):
    whole = build_experiment(config)
    stores = sorted(find_cache(config).rglob("*"))
    model = compose(network).model if network else config.model
    data = replace(config.data, share=0.25, share_growth=0.25)
    short = replace(config.train, epochs=2)
    experiment = build_experiment(replace(config, data=data, train=short, model=model))
    assert sorted(find_cache(config).rglob("*")) == stores
    assert experiment.plan.utterances == (1, 2)
    chosen = experiment.store.splits["train"].ids
    assert len(chosen) == 2
    assert set(chosen) < set(whole.store.splits["train"].ids)
    assert experiment.dev.num_frames == whole.dev.num_frames
    longer = build_experiment(replace(config, data=data, model=model))
    assert longer.plan.utterances == (1, 2, 3, 4)
    assert longer.store.splits["train"].ids[:2] == chosen


def test_the_same_seed_builds_the_same_weights(config):
    configs = (config, config, replace(config, seed=1))
    first, again, other = (
        build_experiment(one).components.model.state_dict()["output.weight"] for one in configs
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_a_time_delay_network_is_trained_on_chunks(config):
    tdnn = compose(["model=tdnn", "model.channels=4", "model.dilations=[1,1]"]).model
    experiment = build_experiment(replace(config, model=tdnn))
    assert isinstance(experiment.train, FrameChunks)
    assert experiment.train.chunk_frames == 128


def test_a_network_that_does_not_suit_is_refused_before_the_corpus_is_read(config, monkeypatch):
    def fail(config):
        raise AssertionError("the corpus was read")

    monkeypatch.setattr(module, "open_frame_store", fail)
    model = compose(["model=tdnn", "data.context=2"]).model
    with pytest.raises(ConfigError, match=r"^model\.dilations: "):
        build_experiment(replace(config, model=model))


def test_an_objective_that_the_phones_do_not_define_is_refused(config):
    with pytest.raises(ConfigError, match=r"^objective: must be defined for the \d+ phones"):
        build_experiment(replace(config, objective="dev/accuracy_39"))
    assert len(NAMES) not in (39, 48, 61)


def test_smoothing_is_measured_only_if_wanted(config):
    experiment = build_experiment(config)
    evaluation, smoothing = experiment.evaluate_smoothed()
    assert smoothing is not None
    assert 0 <= smoothing.metrics["dev/smoothed_accuracy"] <= 1
    assert smoothing.smoother.chain.log_prior.shape == (len(NAMES),)
    train = replace(config.train, smooth=False)
    experiment.config = replace(config, train=train)
    again, smoothing = experiment.evaluate_smoothed()
    assert smoothing is None
    assert again.metrics() == pytest.approx(evaluation.metrics())


def test_the_key_of_an_objective_that_is_not_defined_is_named(config):
    experiment = build_experiment(config)
    for key, value in (
        ("objective", "dev/accuracy_39"),
        ("further_objectives", ["dev/accuracy_39"]),
    ):
        experiment.config = replace(config, **{key: value})
        with pytest.raises(ConfigError, match=rf"^{key}: must be a metric that is defined"):
            experiment.dev_metrics()
