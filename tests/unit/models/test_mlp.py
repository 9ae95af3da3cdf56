"""Perceptrons against a forward pass written in NumPy, and fused against plain evaluation."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from framesweep.config import MlpConfig
from framesweep.models.build import build_model
from framesweep.models.mlp import MLP
from small_mlp import FRAMES, INPUT_DIM, NUM_CLASSES, build, convolved, windows


def erf(x: np.ndarray) -> np.ndarray:
    return np.vectorize(math.erf)(x)


ACTIVATIONS = {
    "relu": lambda x: np.maximum(x, 0),
    "gelu": lambda x: 0.5 * x * (1 + erf(x / np.sqrt(2))),
    "silu": lambda x: x / (1 + np.exp(-x)),
    "leaky_relu": lambda x: np.where(x > 0, x, 0.01 * x),
}


def forward_by_hand(model: MLP, config: MlpConfig, x: np.ndarray) -> np.ndarray:
    """Logits in training mode without dropout, from the state dict alone, in float64."""
    state = {k: v.double().numpy() for k, v in model.state_dict().items()}
    for i in range(len(model.widths)):
        y = x @ state[f"layers.{i}.linear.weight"].T
        if config.norm != "batch":
            y = y + state[f"layers.{i}.linear.bias"]
        if config.norm != "none":
            axis = 0 if config.norm == "batch" else 1
            y = (y - y.mean(axis, keepdims=True)) / np.sqrt(y.var(axis, keepdims=True) + 1e-5)
            y = y * state[f"layers.{i}.norm.weight"] + state[f"layers.{i}.norm.bias"]
        y = ACTIVATIONS[config.activation](y)
        x = x + y if config.residual and x.shape == y.shape else y
    return x @ state["output.weight"].T + state["output.bias"]


@pytest.mark.parametrize("norm", ["batch", "layer", "none"])
@pytest.mark.parametrize("activation", list(ACTIVATIONS))
@pytest.mark.parametrize("residual", [False, True])
def test_forward_is_the_formula(norm: Any, activation: Any, residual: bool) -> None:
    config = MlpConfig(
        widths=[24, 16, 16], dropout=0.0, norm=norm, activation=activation, residual=residual
    )
    model = build_model(config, INPUT_DIM, NUM_CLASSES)
    with torch.no_grad():  # scales and shifts other than one and zero
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    x = windows()
    assert isinstance(model, MLP)
    expected = forward_by_hand(model, config, x.double().numpy())
    np.testing.assert_allclose(model(x).detach().numpy(), expected, rtol=1e-4, atol=1e-5)


def test_evaluation_uses_running_statistics() -> None:
    model = build(widths=[16])
    for _ in range(200):
        model(windows())
    x = windows()
    y = (x @ model.layers[0].linear.weight.T).detach().numpy()
    y = (y - y.mean(0)) / np.sqrt(y.var(0, ddof=1) + 1e-5)
    expected = np.maximum(y, 0) @ model.output.weight.detach().numpy().T
    expected = expected + model.output.bias.detach().numpy()
    model.eval()
    np.testing.assert_allclose(model(x).detach().numpy(), expected, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(model(x[:1]), model(x)[:1])


def test_state_dict_names() -> None:
    assert list(build(widths=[16, 8]).state_dict()) == [
        *(
            f"layers.{i}.{name}"
            for i in range(2)
            for name in (
                "linear.weight",
                "norm.weight",
                "norm.bias",
                "norm.running_mean",
                "norm.running_var",
                "norm.num_batches_tracked",
            )
        ),
        "output.weight",
        "output.bias",
    ]
    assert "layers.0.linear.bias" in build(norm="layer").state_dict()
    assert "layers.0.linear.bias" in build(norm="none").state_dict()


def test_dropout_rate_of_each_layer() -> None:
    model = build(widths=[400, 400], dropout=[0.0, 0.75], norm="none", activation="gelu")
    kept: list[float] = []
    for layer in model.layers:
        layer.register_forward_hook(
            lambda _, inputs, output: kept.append((output != 0).float().mean().item())
        )
    model(windows(200))
    assert kept == [1.0, pytest.approx(0.25, abs=0.02)]
    model.eval()(windows(200))
    assert kept[2:] == [1.0, 1.0]


@pytest.mark.parametrize("norm", ["batch", "layer", "none"])
def test_a_training_batch_of_one_frame(norm: Any) -> None:
    model = build(norm=norm)
    model(windows())
    before = {k: v.clone() for k, v in model.state_dict().items()}
    trained = model(windows(1))
    trained.sum().backward()
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())
    torch.testing.assert_close(trained, model.eval()(windows(1)))


def test_no_hidden_layer_is_a_linear_classifier() -> None:
    model = build(widths=[])
    x = windows()
    torch.testing.assert_close(model(x), x @ model.output.weight.T + model.output.bias)


@pytest.mark.parametrize("residual", [False, True])
def test_residual_helps_a_deep_network_learn(residual: bool) -> None:
    """The gradient at the first of 40 plain layers vanishes; added inputs carry it."""
    model = build(widths=[INPUT_DIM] * 40, norm="none", residual=residual)
    model(windows()).square().sum().backward()
    norm = model.layers[0].linear.weight.grad.norm().item()
    assert (norm > 1e-2) == residual


def test_convolutions_are_torch_s_along_time() -> None:
    model = convolved().eval()
    x = windows(9, FRAMES * 5)
    y = x.view(9, FRAMES, 5).transpose(1, 2)  # of 21 frames 19 are seen, then of 6 steps 4
    for conv in model.convs:
        weight = conv.block.linear.weight
        kernel = weight.view(len(weight), 4, -1).transpose(1, 2)
        y = nn.functional.conv1d(y[:, :, 1:], kernel, stride=3)
        norm = conv.block.norm
        y = torch.relu(y / math.sqrt(1 + norm.eps))
    y = y.transpose(1, 2).flatten(1)
    assert y.shape == (9, 7)
    for layer in (*model.layers, model.output):
        y = layer(y)
    torch.testing.assert_close(model(x), y)


@pytest.mark.parametrize("dtype", [None, torch.float32, torch.bfloat16])
@pytest.mark.parametrize(
    ("channels", "kernel", "stride", "num_frames"),
    [([6], 3, 1, 7), ([6, 7], 5, 2, 21), ([6, 7, 4], 3, 3, 41)],
)
@pytest.mark.parametrize("norm", ["batch", "layer"])
def test_a_stretch_is_classified_as_its_windows(
    channels: Any, kernel: int, stride: int, num_frames: int, norm: Any, dtype: Any
) -> None:
    config = MlpConfig(
        widths=[9, 9], conv_channels=channels, conv_kernel=kernel, conv_stride=stride, norm=norm
    )
    dim = 5
    torch.manual_seed(0)
    model = build_model(config, num_frames * dim, NUM_CLASSES, num_frames)
    for _ in range(3):  # statistics that are not trivial
        model(2 * torch.randn(30, num_frames * dim) + 1)
    rows = torch.randn(num_frames + 11, dim, dtype=dtype)
    starts = torch.tensor([0, 1, 2, 7, 11])
    seen = torch.stack([rows[i : i + num_frames].flatten() for i in starts])
    with torch.no_grad(), torch.autocast("cpu", dtype, enabled=dtype == torch.bfloat16):
        together = model.eval().stretch_eval(dtype)
        assert together is not None
        found = together(rows.view(1, -1), starts)
        torch.testing.assert_close(found, model(seen).to(found.dtype), atol=0.03, rtol=0.03)
        if dtype != torch.bfloat16:
            torch.testing.assert_close(found, model(seen))


def test_windows_that_share_little_are_classified_one_by_one() -> None:
    assert build().eval().stretch_eval(torch.float32) is None
    kernel = FRAMES - 1  # two positions per window
    assert convolved(conv_channels=[8], conv_kernel=kernel).eval().stretch_eval() is None


def test_in_training_windows_are_classified_one_by_one() -> None:
    model = convolved(conv_channels=[8], conv_stride=1)
    assert model.stretch_eval(torch.float32) is None
    assert model.eval().stretch_eval(torch.float32) is not None


@pytest.mark.parametrize("norm", ["batch", "layer", "none"])
def test_convolutions_learn_and_fold(norm: Any) -> None:
    model, x = convolved(norm=norm, conv_dropout=0.1, residual=True), windows(40, FRAMES * 5)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    labels = torch.arange(40) % NUM_CLASSES
    losses = []
    for _ in range(80):
        loss = nn.functional.cross_entropy(model(x), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.5 * losses[0]
    with torch.no_grad():
        folded = model.eval().fused_eval(torch.float32)
        assert (folded is model) == (norm == "layer")
        torch.testing.assert_close(folded(x), model(x), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("residual", [False, True])
@pytest.mark.parametrize("norm", ["batch", "none", "layer"])
@pytest.mark.parametrize("activation", list(ACTIVATIONS))
def test_folded_is_forward_in_evaluation(
    activation: Any, norm: Any, residual: bool, dtype: torch.dtype
) -> None:
    model = build(activation=activation, norm=norm, residual=residual)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    for _ in range(3):
        model(3 * windows() - 1).square().mean().backward()
        optimizer.step()
    with torch.no_grad(), torch.autocast("cpu", dtype, enabled=dtype != torch.float32):
        network = model.eval().fused_eval(dtype)
        assert (network is model) == (norm == "layer")
        logits = network(windows().to(dtype)).float()
        expected = model.float()(windows())
    scale = float(expected.abs().max())
    tolerance = 1e-5 if dtype == torch.float32 else 2**-5
    torch.testing.assert_close(logits, expected.float(), atol=tolerance * scale, rtol=0)


def test_a_network_in_training_is_not_folded() -> None:
    model = build()
    assert model.fused_eval(torch.float32) is model
