"""Recurrent networks: against torch's own layers on packed sequences."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from framesweep.config import GruConfig, LightGruConfig, LstmConfig
from framesweep.distributed.collectives import Shard
from framesweep.models.build import NetworkBuilder
from framesweep.models.recurrent import BidirectionalLayer, RecurrentNetwork

BINS, CLASSES = 5, 4
LENGTHS = torch.tensor([11, 3, 8, 1])


KINDS = [LstmConfig, GruConfig, LightGruConfig]


def build(kind: Any = LstmConfig, **keys: Any) -> Any:
    torch.manual_seed(0)
    settings: dict[str, Any] = {"width": 6, "layers": 2, "step_frames": 1, "dropout": 0.0}
    settings |= {"conv_channels": [], **keys}
    network = NetworkBuilder(kind(**settings), context=2).build(BINS, CLASSES)
    assert isinstance(network, RecurrentNetwork)
    return network


def by_torch(layer: BidirectionalLayer, x: Tensor) -> Tensor:
    """Return the output of torch's bidirectional layer with the same weights, on x packed."""
    oracle = type(layer.ahead)(
        x.shape[2], layer.ahead.hidden_size, bidirectional=True, batch_first=True
    ).eval()
    weights = layer.ahead.state_dict()
    weights |= {f"{name}_reverse": w for name, w in layer.back.state_dict().items()}
    oracle.load_state_dict(weights)
    packed = pack_padded_sequence(x, LENGTHS, batch_first=True, enforce_sorted=False)
    y, _ = pad_packed_sequence(oracle(packed)[0], batch_first=True, total_length=x.shape[1])
    return y


def inside(num_frames: int) -> Tensor:
    return torch.arange(num_frames) < LENGTHS.unsqueeze(1)


@torch.no_grad()
@pytest.mark.parametrize("kind", [LstmConfig, GruConfig])
@pytest.mark.parametrize("norm", ["layer", "none"])
def test_it_is_torch_s_bidirectional_network_on_packed_sequences(kind: Any, norm: Any) -> None:
    model = build(kind, norm=norm).eval()
    x = torch.randn(len(LENGTHS), 11, BINS)
    y = x * inside(11).unsqueeze(2)
    for layer in model.layers:
        y = by_torch(layer, y)
        y = nn.functional.layer_norm(y, y.shape[2:]) if norm == "layer" else y
    expected = model.output(y)
    found = model(x.flatten(1), None, LENGTHS).view_as(expected)
    torch.testing.assert_close(found[inside(11)], expected[inside(11)])


@torch.no_grad()
@pytest.mark.parametrize("kind", KINDS)
def test_what_is_beyond_the_end_of_a_sequence_does_not_matter(kind: Any) -> None:
    model = build(kind, conv_channels=[7], step_frames=2).eval()
    x = torch.randn(len(LENGTHS), 12, BINS)
    logits = model(x.flatten(1), None, LENGTHS).view(len(LENGTHS), 12, CLASSES)
    disturbed = x.masked_fill(~inside(12).unsqueeze(2), 1e4)
    found = model(disturbed.flatten(1), None, LENGTHS).view_as(logits)
    torch.testing.assert_close(found[inside(12)], logits[inside(12)])
    for row, length in enumerate(LENGTHS):
        alone = model(x[row : row + 1, :length].flatten(1))
        torch.testing.assert_close(alone, logits[row, :length], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_every_frame_depends_on_all_frames_of_its_sequence(kind: Any) -> None:
    model = build(kind).eval()
    x = torch.randn(1, 9, BINS, requires_grad=True)
    for frame in (0, 4, 8):
        (gradient,) = torch.autograd.grad(model(x.flatten(1))[frame].sum(), x)
        assert gradient.abs().sum(dim=2).min() > 0


@pytest.mark.parametrize("kind", KINDS)
def test_without_dropout_training_computes_what_evaluation_does(kind: Any) -> None:
    model = build(kind, conv_channels=[4])
    x = torch.randn(len(LENGTHS), 11 * BINS)
    trained = model.train()(x, None, LENGTHS).view(len(LENGTHS), 11, CLASSES)
    evaluated = model.eval()(x, None, LENGTHS).view_as(trained)
    torch.testing.assert_close(trained[inside(11)], evaluated[inside(11)])


@pytest.mark.parametrize("kind", KINDS)
def test_ranks_together_drop_the_units_of_a_single_process(kind: Any) -> None:
    model = build(kind, dropout=0.5, conv_channels=[4]).train()
    x = torch.randn(len(LENGTHS), 11 * BINS)
    torch.manual_seed(1)
    expected = model(x, None, LENGTHS).view(len(LENGTHS), 11, CLASSES)
    for first, count in ((0, 1), (1, 3)):
        shard = Shard(first, count, len(LENGTHS))
        torch.manual_seed(1)
        found = model(shard.select(x), shard, shard.select(LENGTHS))
        torch.testing.assert_close(found.view(count, 11, CLASSES), shard.select(expected))


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_trained_in_bf16_too(kind: Any) -> None:
    model = build(kind, conv_channels=[4]).train()
    x = torch.randn(len(LENGTHS), 11 * BINS)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits = model(x.bfloat16(), None, LENGTHS)
    logits.float().sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())


def test_the_loop_of_a_light_gru_is_not_part_of_a_compiled_graph() -> None:
    sizes = []

    def count_nodes(graph: torch.fx.GraphModule, _inputs: object) -> Any:
        sizes.append(len(graph.graph.nodes))
        return graph.forward

    model = build(LightGruConfig, layers=1).eval()
    x = torch.randn(1, 50 * BINS)
    expected = model(x)
    model.compile(backend=count_nodes)
    torch.testing.assert_close(model(x), expected)
    assert sum(sizes) < 50
