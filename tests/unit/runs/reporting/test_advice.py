"""What is suggested after a run that overfitted."""

import shlex

import pytest
from hydra.core.hydra_config import HydraConfig

from configs import compose
from framesweep.config.composition import register
from framesweep.runs.reporting.advice import (
    describe_next_run,
    suggest_augmentation,
    suggest_overrides,
)

register()
FELL = [{"dev/accuracy": value} for value in (0.5, 0.6, 0.58, 0.55, 0.5)]


def test_keys_that_are_not_used_yet_are_suggested_and_exist():
    config = compose(["optim=adam", "model.dropout=0.2"])
    suggested = suggest_overrides(config, FELL, 2)
    assert suggested == [
        "optim.schedule=onecycle",
        "model.dropout=0.3",
        "optim=adamw",
        "train.patience=2",
    ]
    after = compose(["model.dropout=0.2", *suggested])
    assert (after.optim.schedule, after.model.dropout, after.train.patience) == (
        "onecycle",
        0.3,
        2,
    )
    again = suggest_overrides(after, FELL, 2)
    assert again == ["model.dropout=0.4", "optim.weight_decay=0.05"]


@pytest.mark.parametrize(
    ("accuracies", "best"), [((0.5, 0.6, 0.7, 0.65), 3), ((0.5, 0.6, 0.6), 2), ((0.6, 0.5), 1)]
)
def test_nothing_is_suggested_after_a_late_best_epoch_or_a_short_run(accuracies, best):
    history = [{"dev/accuracy": value} for value in accuracies]
    assert suggest_overrides(compose([]), history, best) == []
    assert describe_next_run(compose([]), history, best) is None


def test_a_run_for_which_all_has_been_tried_gets_no_advice():
    everything = ["optim=adamw", "optim.weight_decay=0.1", "optim.schedule=cosine"]
    config = compose([*everything, "model.dropout=0.5", "train.patience=3"])
    assert suggest_overrides(config, FELL, 1) == []


def test_the_command_repeats_what_was_typed_and_composes(monkeypatch):
    typed = ["model=small", "model.dropout=0.1", "optim=adam", "tracking.run_name='a b'"]
    hydra_config = type("Hydra", (), {"overrides": type("Overrides", (), {"task": typed})})
    monkeypatch.setattr(HydraConfig, "initialized", staticmethod(lambda: True))
    monkeypatch.setattr(HydraConfig, "get", staticmethod(lambda: hydra_config))
    line = describe_next_run(compose(typed), FELL, 2)
    assert line is not None
    head, _, command = line.partition(" Try: ")
    assert head == "dev accuracy fell after epoch 2 of 5."
    words = shlex.split(command)[2:]  # after "python train.py" or "framesweep train"
    assert words[:2] == ["model=small", "tracking.run_name='a b'"]
    config = compose(words)
    assert config.model.dropout == 0.2
    assert config.tracking.run_name == "a b"


def test_a_resumed_run_gets_the_overrides_alone(monkeypatch):
    monkeypatch.setattr(HydraConfig, "initialized", staticmethod(lambda: False))
    line = describe_next_run(compose(["optim=adam", "train.patience=9"]), FELL, 2)
    assert line == (
        "dev accuracy fell after epoch 2 of 5. "
        "Try optim.schedule=onecycle model.dropout=0.3 optim=adamw"
    )


def stagnate(train=0.93, middle=0.6635, last=0.6674):
    dev = (0.6338, 0.6663, middle, 0.6668, last)
    return [{"train/accuracy": train, "dev/accuracy": value} for value in dev]


def test_augmentation_is_suggested_where_training_windows_are_learned_by_heart():
    suggested = suggest_augmentation(compose([]), stagnate(), 40)
    assert suggested == ["augment=speech", "model.dropout=0.35"]
    after = compose(suggested)
    assert (after.augment.tempo, after.model.dropout) == (0.1, 0.35)
    assert suggest_augmentation(after, stagnate(), 40) == []
    line = describe_next_run(compose([]), stagnate(), 5, 40)
    assert line is not None
    assert line.startswith("train accuracy 0.93 is far above dev accuracy 0.67. Try")


@pytest.mark.parametrize(
    ("overrides", "history", "feature_dim"),
    [
        ([], stagnate(train=0.8), 40),
        ([], stagnate(middle=0.65), 40),
        ([], stagnate()[-2:], 40),
        ([], stagnate(), 7),
        (["augment=specaugment"], stagnate(), 40),
        (["data.context=0"], stagnate(), 40),
        (["data=segments", "data.features=npy", "data.root=/x"], stagnate(), 768),
    ],
    ids=["small gap", "still rising", "short", "narrow", "augmented", "frames", "stored"],
)
def test_augmentation_is_not_suggested_where_it_is_no_help(overrides, history, feature_dim):
    assert suggest_augmentation(compose(overrides), history, feature_dim) == []
