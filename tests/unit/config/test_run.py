"""Rules of the group train."""

import math
from typing import Any

import pytest

from framesweep.config import TrackingConfig, TrainConfig
from framesweep.errors import ConfigError


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("epochs", 0),
        ("epochs", 1_000_001),
        ("batch_size", 0),
        ("final_batch_size", 0),
        ("window_frames", 0),
        ("patience", 0),
        ("max_minutes", 0.0),
        ("max_minutes", math.nan),
        ("checkpoint_minutes", -1.0),
        ("ema_decay", 1.0),
        ("average_from", 1.0),
        ("average_from", -0.1),
    ],
)
def test_a_value_out_of_range_is_refused(key: str, value: Any):
    with pytest.raises(ConfigError) as caught:
        TrainConfig(**{key: value})
    assert str(caught.value).startswith(f"train.{key}: must be ")
    assert f"found {value!r}" in str(caught.value)


@pytest.mark.parametrize("name", ["phones", "phones of children", "a", "Ä.1-x_y", "x" * 256])
def test_a_name_of_the_registry_is_accepted(name: str):
    assert TrackingConfig(register=name).register == name


@pytest.mark.parametrize(
    "name", ["", " ", "a/b", "a:b", "a@b", "a'b", 'a"b', ".", "..", "a\nb", " a", "x" * 257]
)
def test_a_name_that_the_registry_would_reject_is_refused(name: str):
    with pytest.raises(ConfigError, match=r"^tracking\.register: must be a name of up to 256"):
        TrackingConfig(register=name)


def test_what_is_not_logged_cannot_be_registered():
    with pytest.raises(ConfigError, match=r"Remove tracking\.log_model=false"):
        TrackingConfig(register="phones", log_model=False)
    with pytest.raises(ConfigError, match=r"Remove tracking=none"):
        TrackingConfig(register="phones", backend="none")


def test_mirrors_are_named() -> None:
    assert TrackingConfig(also=["tensorboard", "wandb"]).also == ["tensorboard", "wandb"]
    with pytest.raises(
        ConfigError, match=r"^tracking\.also: must be some of wandb tensorboard; "
    ):
        TrackingConfig(also=["neptune"])
