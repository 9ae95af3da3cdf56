"""Networks against a forward pass written in NumPy, and the rules of their config."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import options
from framesweep.config import MlpConfig
from framesweep.errors import ConfigError
from framesweep.models.build import build_model
from framesweep.models.mlp import MLP
from framesweep.models.sizes import check, solve_widths

INPUT_DIM, NUM_CLASSES = 24, 5


def build(input_dim: int = INPUT_DIM, **keys: Any) -> MLP:
    torch.manual_seed(0)
    keys = {"widths": [16, 16, 8], "dropout": 0.0} | keys
    return build_model(MlpConfig(**keys), input_dim, NUM_CLASSES)


def windows(num: int = 32, dim: int = INPUT_DIM) -> torch.Tensor:
    return torch.randn(num, dim, generator=torch.Generator().manual_seed(1))


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


@pytest.mark.parametrize(("init", "gain"), [("kaiming", 2.0), ("orthogonal", 2.0)])
def test_initial_weights_keep_the_scale_through_relu(init: Any, gain: float) -> None:
    model = build(input_dim=512, widths=[512] * 6, norm="none", init=init)
    x = windows(64, 512)
    for layer in model.layers:
        assert layer.linear.weight.var().item() == pytest.approx(gain / 512, rel=0.02)
        assert not layer.linear.bias.any()
        x = layer(x)
    assert 0.5 < x.square().mean().item() < 2.0


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
    other = build_model(MlpConfig(widths=[16, 16, 8]), INPUT_DIM, NUM_CLASSES)
    for name, value in first.state_dict().items():
        assert torch.equal(value, again.state_dict()[name])
    assert not torch.equal(first.output.weight, other.output.weight)


@pytest.mark.parametrize("residual", [False, True])
def test_residual_helps_a_deep_network_learn(residual: bool) -> None:
    """The gradient at the first of 40 plain layers vanishes; added inputs carry it."""
    model = build(widths=[INPUT_DIM] * 40, norm="none", residual=residual)
    model(windows()).square().sum().backward()
    norm = model.layers[0].linear.weight.grad.norm().item()
    assert (norm > 1e-2) == residual


@pytest.mark.parametrize("option", options.names("model"))
def test_every_option_builds(option: str) -> None:
    config = options.build("model", option)
    with torch.device("meta"):
        model = build_model(config, 2040, 71, 51)
    assert model(torch.empty(3, 2040, device="meta")).shape == (3, 71)
    assert (options.CONF / "model" / f"{option}.yaml").read_text().startswith("# ")


def test_the_options() -> None:
    assert options.names("model") == "base conv deep pyramid small tdnn wide".split()
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


FRAMES = 21
CONVS = {"conv_channels": [6, 7], "conv_kernel": 4, "conv_stride": 3}


def convolved(**keys: Any) -> MLP:
    torch.manual_seed(0)
    config = MlpConfig(**({"widths": [16], "dropout": 0.0} | CONVS | keys))
    return build_model(config, FRAMES * 5, NUM_CLASSES, FRAMES)


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
        folded = model.eval().folded(torch.float32)
        assert (folded is model) == (norm == "layer")
        torch.testing.assert_close(folded(x), model(x), atol=1e-4, rtol=1e-4)


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
        ({"conv_kernel": 22}, "model.conv_kernel: must be at most 21, the steps left"),
        ({"conv_channels": [4, 4, 4]}, "must be at most 1, the steps left"),
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
    check(options.build("model", "base", f"model.dropout={text}"))


@pytest.mark.parametrize(
    ("keys", "line"),
    [
        ({"widths": [8, 0]}, "model.widths: must be between 1 and 65,536; found 0"),
        ({"widths": [100_000]}, "model.widths: must be between 1 and 65,536; found 100000"),
        ({"widths": [8] * 101}, "must be between 0 and 100; found 101"),
        ({"widths": [8], "width": 8}, "model.width: cannot be combined with model.widths=[8]"),
        ({"widths": [8], "depth": 2}, "model.depth: cannot be combined with model.widths=[8]"),
        ({"widths": [8], "max_params": 1e6}, "model.max_params: cannot be combined"),
        ({"widths": [8], "shape": "pyramid"}, "model.shape: cannot be combined"),
        ({"width": 8}, "model.depth: must be given where model.widths is null"),
        ({"depth": 3}, "model.width: must be given where model.widths is null"),
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
        ({"widths": [8, 8], "dropout": [0.1]}, "one number a hidden layer, here 2"),
    ],
)
def test_rules(keys: dict[str, Any], line: str) -> None:
    with pytest.raises(ConfigError) as raised:
        build_model(MlpConfig(**keys), INPUT_DIM, NUM_CLASSES)
    assert line in str(raised.value)
    assert "\n" not in str(raised.value)


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
        network = model.eval().folded(dtype)
        assert (network is model) == (norm == "layer")
        logits = network(windows().to(dtype)).float()
        expected = model.float()(windows())
    scale = float(expected.abs().max())
    tolerance = 1e-5 if dtype == torch.float32 else 2**-5
    torch.testing.assert_close(logits, expected.float(), atol=tolerance * scale, rtol=0)


def test_a_network_in_training_is_not_folded() -> None:
    model = build()
    assert model.folded(torch.float32) is model
