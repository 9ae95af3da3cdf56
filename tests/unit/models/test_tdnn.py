"""Time-delay networks: against torch's convolutions, and window by window."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from framesweep.config import TdnnConfig
from framesweep.errors import ConfigError
from framesweep.models import tdnn
from framesweep.models.build import build_model
from framesweep.models.tdnn import Tdnn, compute_reach

BINS, CLASSES, CONTEXT = 5, 4, 9
SEED = torch.Generator()


def build(context: int = CONTEXT, **keys: Any) -> Tdnn:
    torch.manual_seed(0)
    settings: dict[str, Any] = {"channels": 8, "dilations": [1, 2, 3], "dropout": 0.0} | keys
    num_frames = 2 * context + 1
    model = build_model(TdnnConfig(**settings), num_frames * BINS, CLASSES, num_frames)
    assert isinstance(model, Tdnn)
    return model


def noisy(model: Tdnn) -> Tdnn:
    """The network with batch statistics of its own, in evaluation."""
    for module in model.modules():
        if isinstance(module, nn.BatchNorm1d):
            assert module.running_mean is not None
            assert module.running_var is not None
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2.0)
    return model.eval()


def by_torch(model: Any, frames: Tensor) -> Tensor:
    """(N, T, bins) to (N, T - 2 * context, classes), by torch's own convolutions."""
    y = frames[:, model.unseen : frames.shape[1] - model.unseen].transpose(1, 2)
    for delay in model.delays:
        linear, norm = delay.block.linear, delay.block.norm
        kernel = linear.weight.view(len(linear.weight), delay.kernel, -1).transpose(1, 2)
        z = nn.functional.conv1d(y, kernel, linear.bias, dilation=delay.dilation)
        z = torch.relu(norm(z) if isinstance(norm, nn.BatchNorm1d) else z)
        inner = y[:, :, delay.reach : y.shape[2] - delay.reach]
        y = inner + z if delay.residual else z
    return model.output(y.transpose(1, 2))


@torch.no_grad()
@pytest.mark.parametrize("norm", ["batch", "none"])
@pytest.mark.parametrize("kernel", [1, 3])
def test_it_is_torch_s_convolutions(norm: Any, kernel: int) -> None:
    model = noisy(build(norm=norm, kernel=kernel))
    frames = torch.randn(3, 7 + 2 * CONTEXT, BINS)
    expected = by_torch(model, frames).flatten(0, 1)
    torch.testing.assert_close(model(frames.flatten(1)), expected)


@torch.no_grad()
def test_a_frame_s_logits_depend_on_its_window_alone() -> None:
    model = noisy(build())
    frames = torch.randn(11 + 2 * CONTEXT, BINS)
    windows = frames.unfold(0, 2 * CONTEXT + 1, 1).transpose(1, 2).flatten(1)
    torch.testing.assert_close(model(frames.view(1, -1)), model(windows))
    changed = frames.clone()
    changed[0] += 10  # seen by the first frame's window only, and beyond the layers' reach
    changed[2] += 10
    differing = (model(changed.view(1, -1)) != model(frames.view(1, -1))).any(dim=1)
    assert compute_reach(TdnnConfig(dilations=[1, 2, 3])) == 6
    assert not differing.any()
    changed[3 + CONTEXT - 6] += 10
    differing = (model(changed.view(1, -1)) != model(frames.view(1, -1))).any(dim=1)
    assert differing[:4].any()
    assert not differing[4:].any()


@pytest.mark.parametrize("stride", [2, 3, 4, 6])
@pytest.mark.parametrize("dilations", [[1, 2, 3], [1, 1, 2, 4], [2, 4], [3, 3]])
def test_training_gives_every_stride_th_frame(stride: int, dilations: list[int]) -> None:
    keys: dict[str, Any] = {"norm": "none", "dilations": dilations}
    model, plain = build(stride=stride, **keys), build(stride=1, **keys)
    plain.load_state_dict(model.state_dict())
    x = torch.randn(3, (14 + 2 * CONTEXT) * BINS)
    expected = plain(x).view(3, 14, CLASSES)[:, ::stride].flatten(0, 1)
    torch.testing.assert_close(model.train()(x), expected)
    assert len(model.eval()(x)) == 3 * 14


@pytest.mark.parametrize("norm", ["batch", "layer", "none"])
def test_it_learns_and_folds(norm: Any) -> None:
    model = build(norm=norm, dropout=0.1)
    x = torch.randn(4, (10 + 2 * CONTEXT) * BINS)
    labels = torch.arange(12) % CLASSES
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    losses = []
    for _ in range(120):
        loss = nn.functional.cross_entropy(model(x), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]
    with torch.no_grad():
        folded = model.eval().fused_eval(torch.float32)
        assert (folded is model) == (norm == "layer")
        torch.testing.assert_close(folded(x), model(x), atol=1e-4, rtol=1e-4)


def test_the_option_fits_the_default_window() -> None:
    model = build_model(TdnnConfig(), 51 * 40, 71, 51)
    assert isinstance(model, Tdnn)
    assert model.unseen == 1
    assert model.widths == (384,) * 7
    assert model.steps == [1, 1, 2, 4, 4, 4, 4, 4]


def test_initial_weights_are_scaled_by_what_a_layer_sees() -> None:
    model: Any = build(channels=200, init="kaiming")
    weight = model.delays[1].block.linear.weight
    assert weight.std().item() == pytest.approx(math.sqrt(2 / (3 * 200)), rel=0.05)


@pytest.mark.parametrize(
    ("keys", "line"),
    [
        ({"channels": 0}, "model.channels: must be between 1 and 65,536"),
        ({"dilations": []}, "model.dilations: must list between 1 and 100 layers"),
        ({"dilations": [1, 0]}, "model.dilations: must be between 1 and 65,536"),
        ({"kernel": 2}, "model.kernel: must be odd"),
        ({"stride": 129}, "model.stride: must be at most model.run_frames=128"),
        ({"run_frames": 0}, "model.run_frames: must be between 1 and 10,000"),
        ({"dropout": 1.0}, "model.dropout: must be at least 0 and below 1"),
        ({"dropout": [0.1]}, "model.dropout: must list one number per hidden layer, here 3"),
        ({"dilations": [4, 4, 4]}, "model.dilations: must reach at most data.context=9 frames"),
    ],
)
def test_rules(keys: dict[str, Any], line: str) -> None:
    with pytest.raises(ConfigError) as caught:
        build(**keys)
    assert str(caught.value).startswith(line)


def test_too_far_a_reach_says_how_many_layers_fit() -> None:
    with pytest.raises(ConfigError, match=r"keep 2 of them"):
        build(dilations=[4, 4, 4])


@pytest.mark.parametrize("norm", ["batch", "none"])
@pytest.mark.parametrize(("stride", "dilations"), [(1, [1, 2, 3]), (4, [1, 2, 4]), (2, [2, 4])])
def test_on_a_gpu_its_layers_are_convolutions_that_compute_the_same(
    monkeypatch: pytest.MonkeyPatch, norm: Any, stride: int, dilations: list[int]
) -> None:
    found = []
    for convolves in (False, True):
        monkeypatch.setattr(tdnn, "convolves", lambda _, value=convolves: value)
        model = build(norm=norm, stride=stride, dilations=dilations).train()
        frames = torch.randn(3, (16 + 2 * CONTEXT) * BINS, generator=SEED.manual_seed(1))
        logits = model(frames)
        logits.square().sum().backward()
        gradients = [parameter.grad for parameter in model.parameters()]
        statistics = list(model.buffers())
        found.append([logits, *gradients, *statistics, model.eval()(frames)])
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)


def test_a_convolution_copies_neither_its_weight_nor_its_output() -> None:
    """Channels come last in memory everywhere, as tensor cores read them."""
    model = build()
    block: Any = model.delays[1].block
    weight = block.linear.weight.view(8, 3, -1).permute(0, 2, 1).unsqueeze(2)
    assert weight.is_contiguous(memory_format=torch.channels_last)
    assert weight.data_ptr() == block.linear.weight.data_ptr()
    x = torch.randn(2, 12, 8).transpose(1, 2).unsqueeze(2)
    assert x.is_contiguous(memory_format=torch.channels_last)
