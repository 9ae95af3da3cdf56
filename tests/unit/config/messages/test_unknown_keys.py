"""What is said about a key that the chosen options do not have."""

import pytest

import framesweep as fs
from framesweep.config import SCHEMAS
from framesweep.config.composition import compose, register
from framesweep.config.groups import read_options
from framesweep.config.messages import unknown_keys
from framesweep.config.messages.unknown_keys import (
    default_keys,
    describe_unknown_key,
    describe_unknown_part,
)
from framesweep.config.plain import flatten

register()
KEYS = [*flatten(compose([])), *SCHEMAS]


def test_the_default_keys_are_those_of_the_config_without_arguments():
    # The entries of tracking.tags are the user's own.
    assert sorted(default_keys()) == sorted([*flatten(compose([])), "tracking.tags"])


def test_a_key_of_other_options_is_named_with_these(monkeypatch: pytest.MonkeyPatch):
    known = ("adam", "adamw", "muon", "sgd", "base", "conv", "deep", "tdnn")
    monkeypatch.setattr(
        unknown_keys,
        "read_options",
        lambda group: [option for option in read_options(group) if option.name in known],
    )
    typed = describe_unknown_key("optim.beta1", "SgdConfig", KEYS, ["optim=sgd"])
    assert typed == (
        "optim.beta1: optim=sgd has no such key; only optim=adam and optim=adamw have it"
    )
    several = describe_unknown_key("model.widths", "TdnnConfig", KEYS, ["model=tdnn"])
    assert several.endswith("; only model=base, model=conv and model=deep have it")
    untyped = describe_unknown_key("model.channels", "MlpConfig", KEYS)
    assert untyped == "model.channels: only model=tdnn has this key"


@pytest.mark.parametrize("swept", ["model=gru,ligru", "model=choice(gru,ligru)"])
def test_a_key_that_all_swept_options_have_is_to_be_swept_as_well(swept):
    line = describe_unknown_key("model.layers", "MlpConfig", KEYS, [swept, "model.layers=1"])
    assert line == (
        f"model.layers: must be swept as well, because {swept} is. "
        "Type 'model.layers=choice(1)'"
    )
    line = describe_unknown_key("model.layers", "MlpConfig", KEYS, ["model=gru,small"])
    assert line.startswith("model.layers: model=gru,small has no such key; only ")


def test_the_suggested_key_is_one_of_the_chosen_option():
    line = describe_unknown_key("optim.momentun", "SgdConfig", KEYS, ["optim=sgd"])
    assert line == "optim.momentun: no such key. Did you mean optim.momentum?"
    line = describe_unknown_key("hydra.sweeper.n_trails", "FramesweepSweeperConf", KEYS)
    assert line == "hydra.sweeper.n_trails: no such key. Did you mean hydra.sweeper.n_trials?"
    line = describe_unknown_key("data.contxt", "DemoConfig", KEYS)
    assert line == "data.contxt: no such key. Did you mean data.context?"


@pytest.mark.parametrize(
    ("key", "fix"),
    [
        ("sampler.n_startup_trial", "Did you mean hydra.sweeper.sampler.n_startup_trials?"),
        ("pruner.deviation", "Did you mean hydra.sweeper.pruner.deviations?"),
        ("pruner.zzz", "--cfg hydra --package hydra.sweeper in place of -m prints the keys"),
    ],
)
def test_a_key_that_the_sampler_or_pruner_lacks_is_named_with_a_near_one(key, fix):
    with pytest.raises(fs.FramesweepError) as error:
        fs.compose(["sweep=bare", f"hydra.sweeper.{key}=1"])
    assert str(error.value) == f"hydra.sweeper.{key}: no such key. {fix}"


def test_only_keys_of_a_sampler_or_pruner_are_described_by_their_error():
    assert describe_unknown_part("hydra.sweeper.n_trails", "Key 'n_trails' not in ''") is None


def test_a_key_that_resembles_none_is_named_alone():
    assert describe_unknown_key("zzz", "RunConfig", KEYS) == "zzz: no such key"


def test_a_key_of_searches_is_no_typing_error():
    line = describe_unknown_key("hydra.sweeper.n_trials", "", [])
    assert line == "hydra.sweeper.n_trials: only searches have this key. Add sweep=bare"
