"""Networks as they are built: initial weights, the seed, and the options in conf."""

import math
from typing import Any

import pytest
import torch
from torch import nn

import options
from framesweep.config import MlpConfig
from framesweep.errors import ConfigError
from framesweep.models.build import NetworkBuilder, build_model
from framesweep.models.mlp import MLP
from framesweep.models.network import ChunkShape
from framesweep.models.sequence_network import SequenceNetwork
from framesweep.models.sizes import solve_widths
from small_mlp import INPUT_DIM, NUM_CLASSES, build, windows


@pytest.mark.parametrize(("init", "gain"), [("kaiming", 2.0), ("orthogonal", 2.0)])
def test_initial_weights_keep_the_scale_through_relu(init: Any, gain: float) -> None:
    model = build(input_dim=512, widths=[512] * 6, norm="none", init=init)
    x = windows(64, 512)
    for layer in model.layers:
        assert layer.linear.weight.var().item() == pytest.approx(gain / 512, rel=0.02)
        assert not layer.linear.bias.any()
        x = layer(x)
    assert 0.5 < x.square().mean().item() < 2.0


@pytest.mark.parametrize("option", ["small", "tdnn", "gru", "conformer"])
def test_only_the_layer_named_output_is_drawn_with_gain_1(option: str) -> None:
    config = options.build("model", option, "model.init=orthogonal")
    output: Any = build_model(config, 51 * 40, 30, 51).output
    singular = torch.linalg.svdvals(output.weight.detach())
    torch.testing.assert_close(singular, torch.ones_like(singular), atol=1e-4, rtol=0)
    assert not output.bias.any()


def test_initial_weights_by_name() -> None:
    orthogonal = build(widths=[64, 32], init="orthogonal").layers[1].linear.weight.detach()
    torch.testing.assert_close(orthogonal @ orthogonal.T, 2 * torch.eye(32))
    xavier = build(widths=[64, 32], init="xavier").layers[1].linear.weight.detach()
    bound = math.sqrt(2) * math.sqrt(6 / (64 + 32))
    assert 0.98 * bound < xavier.abs().max() <= bound
    torch.manual_seed(0)
    plain = nn.Linear(INPUT_DIM, 16, bias=False).weight
    assert torch.equal(build(init="default").layers[0].linear.weight, plain)


def test_the_seed_sets_the_weights() -> None:
    first, again = build(), build()
    torch.manual_seed(1)
    other: Any = build_model(MlpConfig(widths=[16, 16, 8]), INPUT_DIM, NUM_CLASSES)
    for name, value in first.state_dict().items():
        assert torch.equal(value, again.state_dict()[name])
    assert not torch.equal(first.output.weight, other.output.weight)


@pytest.mark.parametrize("option", options.names("model"))
def test_every_option_builds(option: str) -> None:
    config = options.build("model", option)
    with torch.device("meta"):
        model = build_model(config, 2040, 71, 51)
    rows = 3 * 51 if isinstance(model, SequenceNetwork) else 3
    assert model(torch.empty(3, 2040, device="meta")).shape == (rows, 71)
    assert (options.CONF / "model" / f"{option}.yaml").read_text().startswith("# ")


def test_the_options() -> None:
    names = "base conformer conv conv_small deep gru ligru lstm pyramid small tdnn wide"
    assert options.names("model") == names.split()
    base = options.build("model", "base")
    assert solve_widths(base, 2040, 71) == (1024, 1024, 1024, 512)
    assert base.dropout == 0.2
    pyramid = options.build("model", "pyramid", "model.max_params=20e6", "model.depth=6")
    widths = solve_widths(pyramid, 2040, 71)
    assert len(widths) == 6
    assert widths == tuple(sorted(widths, reverse=True))
    with torch.device("meta"):
        count = sum(p.numel() for p in MLP(pyramid, widths, 2040, 71).parameters())
    assert 19.9e6 < count <= 20e6


def test_an_unknown_activation_is_named_with_those_there_are() -> None:
    with pytest.raises(ConfigError) as raised:
        NetworkBuilder(MlpConfig(widths=[8], activation="tanhh"), context=2)
    assert str(raised.value) == (
        "model.activation: must be one of relu gelu silu leaky_relu; found 'tanhh'"
    )


def test_a_builder_checks_the_context_before_the_sizes_of_the_data_are_known() -> None:
    tdnn = options.build("model", "tdnn")
    with pytest.raises(ConfigError, match=r"^model.dilations: must reach at most data.context"):
        NetworkBuilder(tdnn, context=10)
    model = NetworkBuilder(tdnn, context=25).build(feature_dim=8, num_classes=5)
    assert model(torch.zeros(2, 51 * 8)).shape == (2, 5)


def test_a_builder_tells_what_its_network_is_trained_on() -> None:
    assert NetworkBuilder(MlpConfig(widths=[8]), context=2).chunk_shape is None
    chunks = NetworkBuilder(options.build("model", "tdnn"), context=25).chunk_shape
    assert chunks == ChunkShape(num_frames=128, stride=4)
