"""The sizes of a perceptron's layers: budgets, and the rules of their keys."""

import math
from dataclasses import replace
from typing import Any

import pytest

import options
from framesweep.config import MlpConfig
from framesweep.errors import ConfigError
from framesweep.models.build import build_model
from framesweep.models.sizes import validate_sizes
from small_mlp import CONVS, FRAMES, INPUT_DIM, NUM_CLASSES, convolved


def test_a_budget_holds_with_convolutions() -> None:
    config = MlpConfig(depth=2, max_params=5000, **CONVS)
    model = build_model(config, FRAMES * 5, NUM_CLASSES, FRAMES)
    count = sum(p.numel() for p in model.parameters())
    wider = replace(config, max_params=None, width=model.widths[0] + 1)
    wider_model = build_model(wider, FRAMES * 5, NUM_CLASSES, FRAMES)
    assert count <= 5000 < sum(p.numel() for p in wider_model.parameters())


@pytest.mark.parametrize(
    ("keys", "line"),
    [
        ({"conv_channels": [0]}, "model.conv_channels: must be between 1 and 65,536; found 0"),
        ({"conv_kernel": 0}, "model.conv_kernel: must be between 1 and 65,536; found 0"),
        ({"conv_stride": 0}, "model.conv_stride: must be between 1 and 65,536; found 0"),
        ({"conv_dropout": 1.0}, "model.conv_dropout: must be at least 0 and below 1"),
    ],
)
def test_rules_of_convolutions(keys: dict[str, Any], line: str) -> None:
    with pytest.raises(ConfigError) as raised:
        convolved(**keys)
    assert line in str(raised.value)


@pytest.mark.parametrize("text", ["0", "0.5", "[0,0.1,0.2,0.3]"])
def test_dropout_as_typed(text: str) -> None:
    validate_sizes(options.build("model", "base", f"model.dropout={text}"))


@pytest.mark.parametrize(
    ("keys", "line"),
    [
        ({"widths": [8, 0]}, "model.widths: must be between 1 and 65,536; found 0"),
        ({"widths": [100_000]}, "model.widths: must be between 1 and 65,536; found 100000"),
        ({"widths": [8] * 101}, "model.widths: must list between 0 and 100 layers; found 101"),
        ({"widths": [8], "width": 8}, "model.width: cannot be combined with model.widths=[8]"),
        ({"widths": [8], "depth": 2}, "model.depth: cannot be combined with model.widths=[8]"),
        ({"widths": [8], "max_params": 1e6}, "model.max_params: cannot be combined"),
        ({"widths": [8], "shape": "pyramid"}, "model.shape: cannot be combined"),
        ({"width": 8}, "model.depth: must be given if model.widths is null"),
        ({"depth": 3}, "model.width: must be given if model.widths is null"),
        ({"width": 8, "depth": 0}, "model.depth: must be between 1 and 100; found 0"),
        ({"width": 0, "depth": 2}, "model.width: must be between 1 and 65,536; found 0"),
        ({"width": 8, "depth": 2, "max_params": 1e6}, "model.width=8; found 1000000.0"),
        ({"depth": 2, "max_params": 10}, "model.max_params: must be from 39 to below"),
        ({"depth": 2, "max_params": -1.0}, "model.max_params: must be from 39 to below"),
        ({"depth": 2, "max_params": math.nan}, "model.max_params: must be from 39 to below"),
        ({"depth": 2, "max_params": math.inf}, "model.max_params: must be from 39 to below"),
        ({"widths": [8], "dropout": 1.0}, "model.dropout: must be at least 0 and below 1"),
        ({"widths": [8], "dropout": -0.1}, "found -0.1"),
        ({"widths": [8], "dropout": math.nan}, "found nan"),
        ({"widths": [8, 8], "dropout": [0.1, 2.0]}, "found 2.0"),
        ({"widths": [8, 8], "dropout": [0.1]}, "one number per hidden layer, here 2"),
    ],
)
def test_rules(keys: dict[str, Any], line: str) -> None:
    with pytest.raises(ConfigError) as raised:
        build_model(MlpConfig(**keys), INPUT_DIM, NUM_CLASSES)
    assert line in str(raised.value)
    assert "\n" not in str(raised.value)
