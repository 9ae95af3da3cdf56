"""Every recipe and every ablation makes a valid config, and yields to what the user types."""

from functools import cache
from pathlib import Path

import pytest
import yaml

from configs import compose
from framesweep.config import RunConfig
from framesweep.config.composition import register
from framesweep.config.groups import find_conf, option_groups, read_options
from framesweep.config.plain import flatten
from framesweep.models.build import NetworkBuilder
from framesweep.runs.validation import validate_across_groups

register()
RECIPES = option_groups()["recipe"]
SPELLED_OUT = {
    "quick": "optim=adamw data.context=16 data.padding=zero data.normalize=utterance "
    "model.conv_channels=[64,128] model.widths=[512,512,512] model.activation=gelu "
    "model.dropout=0.2 optim.lr=4e-3 optim.schedule=onecycle optim.warmup=0.3 "
    "optim.label_smoothing=0.1 train.batch_size=2048 train.epochs=5",
    "few_hours": "model=tdnn optim=muon data.context=40 data.padding=zero "
    "data.normalize=utterance model.channels=384 model.dilations=[1,1,2,4,4,4,8,8,8] "
    "model.activation=gelu model.dropout=0.2 optim.lr=0.02 optim.weight_decay=0.01 "
    "optim.adam_lr=4e-3 optim.schedule=onecycle optim.warmup=0.3 optim.label_smoothing=0.1 "
    "augment.time_masks=1 augment.time_width=8 augment.freq_masks=1 augment.freq_width=8 "
    "augment.shift=1 augment.gain=0.1 augment.tempo=0.1 "
    "train.batch_size=1024 train.epochs=16 train.average=ema",
    "hw1p2": "data=hw1p2 optim=adamw data.context=25 data.padding=zero "
    "data.normalize=utterance data.dtype=float16 model.conv_channels=[128,256,384] "
    "model.widths=null model.shape=diamond model.depth=6 model.max_params=20e6 "
    "model.activation=gelu model.dropout=0.25 optim.lr=2e-3 optim.schedule=onecycle "
    "optim.warmup=0.2 optim.label_smoothing=0.05 optim.clip_norm=1.0 augment.time_masks=1 "
    "augment.time_width=5 augment.freq_masks=1 augment.freq_width=6 train.batch_size=4096 "
    "train.epochs=30 train.average=ema",
    "original": "model=base optim=adam data.context=25 data.padding=cross data.normalize=none "
    "model.widths=[1024,1024,1024,512] model.dropout=0.2 optim.lr=1e-3 "
    "train.batch_size=512 train.epochs=5",
    "probe": "model=base data.context=0 model.widths=[] optim=adam optim.lr=1e-3 "
    "train.batch_size=2048 train.epochs=10",
    "thorough": "model=tdnn optim=adamw data.context=48 data.padding=zero "
    "data.normalize=utterance model.channels=512 model.dilations=[1,1,2,4,4,4,8,8,8,8] "
    "model.activation=gelu model.dropout=0.3 optim.lr=1.5e-3 optim.weight_decay=0.05 "
    "optim.schedule=onecycle optim.warmup=0.25 optim.label_smoothing=0.1 "
    "optim.clip_norm=1.0 augment.time_masks=1 augment.time_width=8 augment.freq_masks=1 "
    "augment.freq_width=8 augment.shift=1 augment.gain=0.1 augment.tempo=0.1 "
    "train.batch_size=512 train.epochs=40 train.average=ema",
}
"""What each recipe stands for. TIMIT's is a long list of speakers."""
ABLATIONS = sorted(path.stem for path in (find_conf() / "ablation").glob("*.yaml"))


@cache
def compose_once(*overrides: str) -> RunConfig:
    return compose(list(overrides))


def validate(config: RunConfig) -> None:
    validate_across_groups(config)
    NetworkBuilder(config.model, config.data.context)


@pytest.mark.parametrize("recipe", RECIPES)
def test_every_recipe_composes(recipe):
    validate(compose([f"recipe={recipe}"]))


@pytest.mark.parametrize("recipe", SPELLED_OUT)
def test_a_recipe_is_what_it_stands_for(recipe):
    assert compose([f"recipe={recipe}"]) == compose(SPELLED_OUT[recipe].split())


def test_the_recipe_for_timit_trains_on_its_standard_splits():
    config = flatten(compose(["recipe=timit"]))
    assert len(config["data.dev_speakers"]) == 50
    assert len(config["data.test_speakers"]) == 24
    expected = (
        "optim=adamw data=segments data.context=25 data.normalize=speaker data.fold='48' "
    )
    expected += "model.conv_channels=[64,128,192] model.widths=[768,768,512] "
    expected += "model.activation=gelu model.dropout=0.3 optim.lr=4e-3 optim.schedule=onecycle "
    expected += "optim.warmup=0.3 optim.label_smoothing=0.1 augment.time_masks=1 "
    expected += "augment.time_width=6 augment.freq_masks=1 augment.freq_width=8 "
    expected += "augment.shift=1 train.batch_size=2048 train.epochs=12"
    splits = {f"data.{key}" for key in ("train", "dev", "test", "exclude", "speaker")}
    splits |= {"data.dev_speakers", "data.test_speakers"}
    other = flatten(compose(expected.split()))
    assert {key for key in config if config[key] != other[key]} == splits


@pytest.mark.parametrize("group", ["model", "optim", "augment"])
@pytest.mark.parametrize("recipe", RECIPES)
def test_a_recipe_yields_to_an_option_that_the_user_types(recipe, group):
    for option in read_options(group):
        typed = f"{group}={option.name}"
        config = compose([f"recipe={recipe}", typed])
        validate(config)
        alone = compose_once(typed)
        values, expected = flatten(config), flatten(alone)
        for key in option.values:
            assert values[f"{group}.{key}"] == expected[f"{group}.{key}"], f"{typed}: {key}"
        if group != "optim":
            assert getattr(config, group) == getattr(alone, group)


@pytest.mark.parametrize("model", ["lstm", "gru", "ligru", "conformer"])
def test_adamw_has_a_lower_rate_for_networks_of_sequences_unless_one_is_typed(model):
    assert compose([f"model={model}"]).optim.lr == 1e-3
    assert compose(["recipe=quick", f"model={model}"]).optim.lr == 1e-3
    assert compose([f"model={model}", "optim.lr=3e-3"]).optim.lr == 3e-3
    assert compose([f"model={model}", "optim=sgd"]).optim == compose(["optim=sgd"]).optim


def test_a_recipe_yields_to_what_is_typed_before_it_too():
    typed = ["model=tdnn", "optim=sgd", "data.context=33", "model.dropout=0.45"]
    config = compose([*typed, "recipe=quick"])
    assert config == compose(["recipe=quick", *typed])
    assert (config.data.context, config.model.dropout, config.optim.lr) == (33, 0.45, 0.05)


def test_a_recipe_leaves_the_schedule_and_the_loss_to_another_optimizer():
    config = compose(["recipe=quick", "optim=sgd"]).optim
    assert (config.lr, config.schedule, config.label_smoothing) == (0.05, "onecycle", 0.1)


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_recipe_yields_to_a_key_that_the_user_types(recipe):
    typed = {"model.dropout": 0.45, "optim.lr": 0.007, "data.context": 33, "train.epochs": 2}
    config = compose([f"recipe={recipe}", *(f"{key}={value}" for key, value in typed.items())])
    assert {key: flatten(config)[key] for key in typed} == typed


@pytest.mark.parametrize("ablation", [name for name in ABLATIONS if name != "none"])
def test_ablations_change_what_they_say_and_no_more(ablation):
    path: Path = find_conf() / "ablation" / f"{ablation}.yaml"
    said = yaml.safe_load(path.read_text())
    said.pop("defaults", None)
    before, config = (
        flatten(compose(["recipe=quick"])),
        compose(["recipe=quick", f"ablation={ablation}"]),
    )
    validate(config)
    after = flatten(config)
    changed = {key for key in after if before.get(key) != after[key]}
    named = {
        f"{group}.{key}": value for group, keys in said.items() for key, value in keys.items()
    }
    assert all(after[key] == value for key, value in named.items())
    assert changed
    if ablation != "muon":  # another optimizer brings keys of its own
        assert changed <= set(named)


def test_the_ablation_tries_every_ablation():
    sweep = yaml.safe_load((find_conf() / "sweep" / "ablation.yaml").read_text())
    params = sweep["hydra"]["sweeper"]
    ablations = (
        params["params"]["ablation"].removeprefix("choice(").removesuffix(")").split(",")
    )
    assert sorted(ablation.strip() for ablation in ablations) == ABLATIONS
    assert params["n_trials"] == 3 * len(ABLATIONS)


@pytest.mark.parametrize(
    ("ablation", "other"),
    [
        *[(ablation, []) for ablation in ABLATIONS],
        (ABLATIONS[0], ["recipe=quick"]),
        (ABLATIONS[-1], ["sweep=ablation"]),
    ],
)
def test_the_earlier_name_of_the_group_still_works(ablation, other):
    assert compose([f"lever={ablation}", *other]) == compose([f"ablation={ablation}", *other])
