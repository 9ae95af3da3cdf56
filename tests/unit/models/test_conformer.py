"""Conformers: against torch's own attention and convolution, and sequence by sequence."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from exported import build_predictor, draw_utterance
from framesweep.config import ConformerConfig
from framesweep.distributed.collectives import Shard
from framesweep.errors import ConfigError
from framesweep.evaluation.portable_network import PortableNetwork
from framesweep.models.build import NetworkBuilder
from framesweep.models.conformer import Conformer, ConformerLayer

BINS, CLASSES, WIDTH = 5, 4, 8
LENGTHS = torch.tensor([11, 3, 8, 1])
SMALL: dict[str, Any] = {
    "width": WIDTH,
    "layers": 2,
    "heads": 2,
    "kernel": 3,
    "expansion": 2,
    "conv_channels": [],
    "step_frames": 1,
    "activation": "silu",
}


def build(**keys: Any) -> Any:
    torch.manual_seed(0)
    config = ConformerConfig(**(SMALL | {"dropout": 0.0} | keys))
    network = NetworkBuilder(config, context=2).build(BINS, CLASSES)
    assert isinstance(network, Conformer)
    return network


def inside(num_frames: int) -> Tensor:
    return torch.arange(num_frames) < LENGTHS.unsqueeze(1)


def normed(x: Tensor, norm: str) -> Tensor:
    return F.layer_norm(x, x.shape[2:]) if norm == "layer" else x


def by_torch(layer: ConformerLayer, x: Tensor, outside: Tensor, norm: str) -> Tensor:
    """Return the output of a layer, by torch's modules with the same weights."""

    def feed_forward(module: Any, x: Tensor) -> Tensor:
        return module.output(F.silu(module.hidden(normed(x, norm))))

    x = x + feed_forward(layer.first, x) / 2
    attention = nn.MultiheadAttention(WIDTH, SMALL["heads"], batch_first=True)
    with torch.no_grad():
        attention.in_proj_weight.copy_(layer.attention.projection.weight)
        attention.in_proj_bias.copy_(layer.attention.projection.bias)
    attention.out_proj.load_state_dict(layer.attention.output.state_dict())
    y = normed(x, norm)
    x = x + attention(y, y, y, key_padding_mask=outside, need_weights=False)[0]
    module = layer.convolution
    y = F.glu(module.gate(normed(x, norm)), dim=2).masked_fill(outside.unsqueeze(2), 0)
    y = module.depthwise(y.transpose(1, 2)).transpose(1, 2)
    x = x + module.output(F.silu(normed(y, norm)))
    x = x + feed_forward(layer.second, x) / 2
    return normed(x, norm)


@torch.no_grad()
@pytest.mark.parametrize("norm", ["layer", "none"])
def test_it_is_torch_s_attention_and_convolution(norm: Any) -> None:
    model = build(norm=norm).eval()
    x = torch.randn(len(LENGTHS), 11, BINS)
    y = model.input(x * inside(11).unsqueeze(2))
    for layer in model.layers:
        y = by_torch(layer, y, ~inside(11), norm)
    found = model(x.flatten(1), None, LENGTHS).view(len(LENGTHS), 11, CLASSES)
    torch.testing.assert_close(found[inside(11)], model.output(y)[inside(11)])


@torch.no_grad()
def test_what_is_beyond_the_end_of_a_sequence_does_not_matter() -> None:
    model = build(conv_channels=[7], step_frames=2).eval()
    x = torch.randn(len(LENGTHS), 12, BINS)
    logits = model(x.flatten(1), None, LENGTHS).view(len(LENGTHS), 12, CLASSES)
    disturbed = x.masked_fill(~inside(12).unsqueeze(2), 1e4)
    found = model(disturbed.flatten(1), None, LENGTHS).view_as(logits)
    torch.testing.assert_close(found[inside(12)], logits[inside(12)])
    for row, length in enumerate(LENGTHS):
        alone = model(x[row : row + 1, :length].flatten(1))
        torch.testing.assert_close(alone, logits[row, :length], rtol=1e-4, atol=1e-5)


def test_ranks_together_drop_the_units_of_a_single_process() -> None:
    model = build(dropout=0.5, conv_channels=[4]).train()
    x = torch.randn(len(LENGTHS), 11 * BINS)
    torch.manual_seed(1)
    expected = model(x, None, LENGTHS).view(len(LENGTHS), 11, CLASSES)
    for first, count in ((0, 1), (1, 3)):
        shard = Shard(first, count, len(LENGTHS))
        torch.manual_seed(1)
        found = model(shard.select(x), shard, shard.select(LENGTHS))
        torch.testing.assert_close(found.view(count, 11, CLASSES), shard.select(expected))


def test_it_is_trained_in_bf16_too() -> None:
    model = build(conv_channels=[4]).train()
    x = torch.randn(len(LENGTHS), 11 * BINS)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits = model(x.bfloat16(), None, LENGTHS)
    logits.float().sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())


def test_the_budget_is_met_by_a_multiple_of_the_heads() -> None:
    model = build(width=None, max_params=20e3, heads=3)
    (width, _) = model.widths
    assert width % 3 == 0
    assert sum(p.numel() for p in model.parameters()) <= 20e3
    assert sum(p.numel() for p in build(width=width + 3, heads=3).parameters()) > 20e3


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"width": 10, "heads": 4}, "model.width must be a multiple of model.heads=4"),
        ({"heads": 0}, "model.heads must be between 1 and 64"),
        ({"kernel": 4}, "model.kernel must be odd"),
        ({"expansion": 0}, "model.expansion must be between 1 and 16"),
        ({"norm": "batch"}, "model.norm must be layer or none"),
    ],
)
def test_a_key_out_of_range_is_named(keys: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as raised:
        build(**keys)
    assert message in str(raised.value).replace(":", "")


def test_its_portable_form_has_the_posteriors_of_the_predictor() -> None:
    predictor = build_predictor("conformer")
    portable = PortableNetwork(predictor).eval()
    for num_frames in (1, 10, 31):
        features = draw_utterance(num_frames)
        expected = predictor.log_posteriors(features)
        found = portable(torch.from_numpy(features))
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
