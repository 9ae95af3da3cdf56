"""Networks that read sequences: their convolutions and steps, their widths, their rules."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from framesweep.config.networks.recurrent import LstmConfig
from framesweep.errors import ConfigError
from framesweep.models.build import NetworkBuilder
from framesweep.models.sequence_network import SequenceNetwork

BINS, CLASSES = 5, 4


class Echo(SequenceNetwork):
    """A network whose layers change nothing, to see what is before and after them."""

    def build_layers(self, config: Any, width: int, in_width: int) -> int:
        return in_width

    def encode(self, x: Tensor, lengths: Any, shard: Any) -> Tensor:
        self.seen = x, lengths
        return x


def echo(**keys: Any) -> Echo:
    torch.manual_seed(0)
    config = LstmConfig(**({"conv_channels": [6], "activation": "gelu"} | keys))
    return Echo.from_config(config, BINS, CLASSES, 2).eval()


@torch.no_grad()
@pytest.mark.parametrize("norm", ["layer", "none"])
def test_convolutions_are_those_of_torch_over_each_sequence_alone(norm: Any) -> None:
    model = echo(norm=norm, step_frames=1, conv_channels=[6, 7], conv_kernel=3)
    x = torch.randn(2, 9, BINS)
    lengths = torch.tensor([9, 4])
    model(x.flatten(1), None, lengths)
    seen, _ = model.seen
    for row, length in enumerate(lengths):
        y = x[row, :length].T
        for block in model.convs:
            conv = block.conv
            assert isinstance(conv, nn.Conv1d)
            z = nn.functional.conv1d(y, conv.weight, conv.bias, padding=1).T
            z = nn.functional.layer_norm(z, z.shape[1:]) if norm == "layer" else z
            y = nn.functional.gelu(z).T
        torch.testing.assert_close(seen[row, :length], y.T)
        assert not seen[row, length:].any()


@torch.no_grad()
def test_a_step_reads_several_frames_and_classifies_each() -> None:
    model = echo(step_frames=3, conv_channels=[])
    x = torch.randn(2, 7, BINS)
    logits = model(x.flatten(1), None, torch.tensor([7, 5]))
    seen, steps = model.seen
    assert seen.shape == (2, 3, 3 * BINS)
    assert steps.tolist() == [3, 2]
    frames = logits.view(2, 7, CLASSES)
    weights = model.output.weight.view(3, CLASSES, -1)
    bias = model.output.bias.view(3, CLASSES)
    expected = weights[1] @ x[0, 3:6].flatten() + bias[1]
    torch.testing.assert_close(frames[0, 4], expected)


def test_the_budget_is_met_by_the_largest_width() -> None:
    config = LstmConfig(width=None, max_params=20e3, layers=2, conv_channels=[8])
    builder = NetworkBuilder(config, context=2)
    (width, _) = builder.build(BINS, CLASSES).widths

    def count(width: int) -> int:
        exact = LstmConfig(width=width, layers=2, conv_channels=[8])
        model = NetworkBuilder(exact, context=2).build(BINS, CLASSES)
        return sum(parameter.numel() for parameter in model.parameters())

    assert count(width) <= 20e3 < count(width + 1)


def test_a_budget_draws_no_random_numbers() -> None:
    torch.manual_seed(1)
    found = NetworkBuilder(LstmConfig(width=None, max_params=2e5, layers=1), 2)
    solved = found.build(BINS, CLASSES)
    torch.manual_seed(1)
    config = LstmConfig(width=solved.widths[0], layers=1)
    given = NetworkBuilder(config, 2).build(BINS, CLASSES)
    for one, other in zip(solved.parameters(), given.parameters(), strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"norm": "batch"}, "model.norm must be layer or none"),
        ({"layers": 0}, "model.layers must be between 1 and 100"),
        ({"width": 0}, "model.width must be between 1"),
        ({"width": None}, "model.width must be given if model.max_params is null"),
        ({"max_params": 1e6}, "model.max_params cannot be combined with model.width=256"),
        ({"chunk_frames": 0}, "model.chunk_frames must be between 1 and 10,000"),
        ({"step_frames": 17}, "model.step_frames must be between 1 and 16"),
        ({"conv_kernel": 4}, "model.conv_kernel must be odd"),
        ({"conv_channels": [0]}, "model.conv_channels must be between 1"),
        ({"dropout": 1.0}, "model.dropout must be at least 0 and below 1"),
        ({"dropout": [0.1]}, "model.dropout must list one number per hidden layer, here 3"),
    ],
)
def test_a_key_out_of_range_is_named(keys: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as raised:
        NetworkBuilder(LstmConfig(**keys), context=2)
    assert message in str(raised.value).replace(":", "")


@pytest.mark.parametrize("max_params", [10, 1e15])
def test_an_impossible_budget_is_refused_with_the_possible_ones(max_params: float) -> None:
    builder = NetworkBuilder(LstmConfig(width=None, max_params=max_params), context=2)
    line = (
        r"from [\d,]+ to below [\d,]+ for model\.layers=3; found [\d,']+\. "
        r".* model\.layers or model\.conv_channels\.$"
    )
    with pytest.raises(ConfigError, match=line):
        builder.build(BINS, CLASSES)
