"""Rules of the groups optim, augment and hardware."""

import math
from typing import Any

import pytest

from framesweep.config import AugmentConfig, HardwareConfig, OptimConfig
from framesweep.errors import ConfigError

GROUPS = {OptimConfig: "optim", AugmentConfig: "augment", HardwareConfig: "hardware"}


@pytest.mark.parametrize(
    ("schema", "key", "value"),
    [
        (OptimConfig, "lr", 0.0),
        (OptimConfig, "lr", -1e-3),
        (OptimConfig, "lr", math.nan),
        (OptimConfig, "lr", math.inf),
        (OptimConfig, "weight_decay", -0.1),
        (OptimConfig, "weight_decay", math.nan),
        (OptimConfig, "warmup", 1.0),
        (OptimConfig, "warmup", -0.1),
        (OptimConfig, "final_lr", 1.1),
        (OptimConfig, "gamma", 0.0),
        (OptimConfig, "gamma", 1.5),
        (OptimConfig, "step_epochs", 0),
        (OptimConfig, "patience", 0),
        (OptimConfig, "clip_norm", 0.0),
        (OptimConfig, "label_smoothing", 1.0),
        (AugmentConfig, "time_masks", -1),
        (AugmentConfig, "freq_masks", 101),
        (AugmentConfig, "time_width", -1),
        (AugmentConfig, "freq_width", -1),
        (AugmentConfig, "shift", -1),
        (AugmentConfig, "shift", 1001),
        (AugmentConfig, "gain", -1.0),
        (AugmentConfig, "gain", math.nan),
        (AugmentConfig, "noise", -1.0),
        (AugmentConfig, "tempo", -0.1),
        (AugmentConfig, "tempo", 1.0),
        (AugmentConfig, "tempo", math.nan),
        (HardwareConfig, "threads", 0),
        (HardwareConfig, "threads", -1),
        (HardwareConfig, "threads", 2000),
        (HardwareConfig, "processes", 0),
        (HardwareConfig, "processes", 257),
        (HardwareConfig, "timeout_minutes", 0.0),
        (HardwareConfig, "timeout_minutes", math.nan),
    ],
)
def test_a_value_out_of_range_is_refused(schema: type, key: str, value: Any):
    with pytest.raises(ConfigError) as caught:
        schema(**{key: value})
    assert str(caught.value).startswith(f"{GROUPS[schema]}.{key}: must be ")
    assert f"found {value!r}" in str(caught.value)


@pytest.mark.parametrize("schema", GROUPS)
def test_the_defaults_are_valid(schema: type):
    schema()
