"""Optimizers against their update rules, and gradient clipping."""

import io
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import options
from framesweep.config import (
    AdamConfig,
    AdamWConfig,
    MlpConfig,
    MuonConfig,
    OptimConfig,
    SgdConfig,
)
from framesweep.errors import ConfigError
from framesweep.models.build import build_model
from framesweep.models.mlp import MLP
from framesweep.training.losses import build_loss
from framesweep.training.lr_schedules import build_schedule
from framesweep.training.optimizers import (
    MuonWithAdamW,
    build_optimizer,
    clip_gradients,
)

CONFIGS = [AdamConfig(), AdamWConfig(), SgdConfig(), MuonConfig()]


def network(seed: int = 0, depth: int = 3) -> MLP:
    torch.manual_seed(seed)
    return build_model(MlpConfig(width=8, depth=depth, dropout=0.0), 12, 5)


def batch(step: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(step)
    labels = torch.randint(5, (32,), generator=generator)
    x = torch.randn(32, 12, generator=generator)
    x[torch.arange(32), labels] += 4.0
    return x, labels


def train(model: MLP, optimizer: Any, steps: range, schedule: Any = None) -> list[float]:
    loss, losses = build_loss(OptimConfig()), []
    for step in steps:
        x, labels = batch(step)
        value = loss(model(x), labels)
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        if schedule is not None:
            schedule.step()
        losses.append(value.item())
    return losses


def numpy_adam(
    config: AdamConfig, w: np.ndarray, grads: list[np.ndarray], decay: float
) -> np.ndarray:
    """Kingma and Ba's algorithm 1; decay decoupled for AdamW, else added to the gradient."""
    decoupled = isinstance(config, AdamWConfig)
    m = v = np.zeros_like(w)
    for t, g in enumerate(grads, start=1):
        full = g if decoupled else g + decay * w
        w = w * (1 - config.lr * decay) if decoupled else w
        m = config.beta1 * m + (1 - config.beta1) * full
        v = config.beta2 * v + (1 - config.beta2) * full * full
        m_hat, v_hat = m / (1 - config.beta1**t), v / (1 - config.beta2**t)
        w = w - config.lr * m_hat / (np.sqrt(v_hat) + config.eps)
    return w


def numpy_sgd(
    config: SgdConfig, w: np.ndarray, grads: list[np.ndarray], decay: float
) -> np.ndarray:
    buffer = np.zeros_like(w)
    for g in grads:
        full = g + decay * w
        buffer = config.momentum * buffer + full
        w = w - config.lr * (full + config.momentum * buffer if config.nesterov else buffer)
    return w


@pytest.mark.parametrize(
    "config",
    [
        AdamConfig(lr=0.01, weight_decay=0.1, beta1=0.8, beta2=0.95, eps=1e-3),
        AdamWConfig(lr=0.01, weight_decay=0.5, beta1=0.8),
        SgdConfig(lr=0.1, weight_decay=0.1, momentum=0.7),
        SgdConfig(lr=0.1, weight_decay=0.1, momentum=0.7, nesterov=False),
        SgdConfig(lr=0.1, momentum=0.0, nesterov=False),
    ],
)
def test_update_rule_and_what_decays(config: Any) -> None:
    """Weight matrices decay; biases and a norm's scale and shift do not."""
    model = network()
    optimizer = build_optimizer(config, model)
    before = {k: p.detach().double().numpy() for k, p in model.named_parameters()}
    grads: dict[str, list[np.ndarray]] = {k: [] for k in before}
    generator = torch.Generator().manual_seed(1)
    for _ in range(4):
        for name, p in model.named_parameters():
            p.grad = torch.randn(p.shape, generator=generator)
            grads[name].append(p.grad.double().numpy())
        optimizer.step()
    rule = numpy_sgd if isinstance(config, SgdConfig) else numpy_adam
    for name, p in model.named_parameters():
        decay = config.weight_decay if name.endswith(("linear.weight", "output.weight")) else 0
        expected = rule(config, before[name], grads[name], decay)
        np.testing.assert_allclose(p.detach().numpy(), expected, rtol=1e-4, atol=1e-6)


def test_muon_takes_hidden_matrices_and_adamw_the_rest() -> None:
    model = network(depth=4)
    optimizer = build_optimizer(MuonConfig(lr=0.02, adam_lr=0.003, weight_decay=0.1), model)
    assert isinstance(optimizer, MuonWithAdamW)
    names = {id(p): name for name, p in model.named_parameters()}
    muon, matrices, vectors = (
        {names[id(p)] for p in group["params"]} for group in optimizer.param_groups
    )
    assert muon == {f"layers.{i}.linear.weight" for i in (1, 2, 3)}
    assert matrices == {"layers.0.linear.weight", "output.weight"}
    assert muon | matrices | vectors == set(names.values())
    assert [g["lr"] for g in optimizer.param_groups] == [0.02, 0.003, 0.003]
    assert [g["weight_decay"] for g in optimizer.param_groups] == [0.1, 0.1, 0.0]


def test_muon_makes_the_update_nearly_orthogonal() -> None:
    """Its step has singular values near lr, whatever the gradient's are."""
    model = network(depth=3)
    weight = model.layers[1].linear.weight
    before = weight.detach().clone()
    optimizer = build_optimizer(MuonConfig(lr=0.1), model)
    train(model, optimizer, range(1))
    assert weight.grad is not None
    spread = torch.linalg.svdvals(weight.grad)
    assert spread[0] > 10 * spread[-1]
    values = torch.linalg.svdvals(before - weight.detach()) / 0.1
    assert 0.3 < values.min() <= values.max() < 1.5


@pytest.mark.parametrize("config", CONFIGS, ids=lambda c: type(c).__name__)
def test_it_learns(config: Any) -> None:
    rates = {"lr": 0.1 if isinstance(config, SgdConfig) else 0.02}
    if isinstance(config, MuonConfig):
        rates["adam_lr"] = 0.02
    config = replace(config, **rates)
    losses = train(model := network(), build_optimizer(config, model), range(60))
    assert np.mean(losses[-5:]) < 0.5 * np.mean(losses[:5])


@pytest.mark.parametrize("schedule", ["constant", "onecycle"])
@pytest.mark.parametrize("config", CONFIGS, ids=lambda c: type(c).__name__)
def test_a_saved_optimizer_goes_on_bit_for_bit(config: Any, schedule: Any) -> None:
    config = replace(config, schedule=schedule)

    def begin(model: MLP) -> tuple[Any, Any]:
        optimizer = build_optimizer(config, model)
        return optimizer, build_schedule(config, optimizer, 20, 5)

    whole = network()
    optimizer, rates = begin(whole)
    train(whole, optimizer, range(20), rates)

    begun = network()
    optimizer, rates = begin(begun)
    train(begun, optimizer, range(11), rates)
    file = io.BytesIO()
    torch.save([begun.state_dict(), optimizer.state_dict(), rates.state_dict()], file)
    file.seek(0)
    saved = torch.load(file, weights_only=True)

    resumed = network(seed=9)
    optimizer, rates = begin(resumed)
    resumed.load_state_dict(saved[0])
    optimizer.load_state_dict(saved[1])
    rates.load_state_dict(saved[2])
    train(resumed, optimizer, range(11, 20), rates)
    for name, value in whole.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name]), name


@pytest.mark.parametrize("config", CONFIGS, ids=lambda c: type(c).__name__)
def test_zero_grad_drops_all_gradients(config: Any) -> None:
    model = network()
    optimizer = build_optimizer(config, model)
    model(batch(0)[0]).sum().backward()
    optimizer.zero_grad()
    assert all(p.grad is None for p in model.parameters())


def test_clipping() -> None:
    parameters = [nn.Parameter(torch.zeros(2)), nn.Parameter(torch.zeros(1))]

    def gradient() -> Tensor:
        return torch.cat([p.grad for p in parameters if p.grad is not None])

    def reset() -> None:
        parameters[0].grad, parameters[1].grad = torch.tensor([3.0, 0.0]), torch.tensor([4.0])

    reset()
    assert clip_gradients(OptimConfig(), parameters) is None
    assert clip_gradients(OptimConfig(clip_norm=6.0), parameters) == 5.0
    assert gradient().tolist() == [3.0, 0.0, 4.0]
    assert clip_gradients(OptimConfig(clip_norm=0.5), parameters) == 5.0
    torch.testing.assert_close(gradient(), torch.tensor([0.3, 0.0, 0.4]))


@pytest.mark.parametrize("option", options.names("optim"))
def test_every_option_builds(option: str) -> None:
    config = options.build("optim", option)
    assert type(config).__name__.lower() == f"{option}config"
    model = network()
    losses = train(model, build_optimizer(config, model), range(3))
    assert all(map(math.isfinite, losses))
    assert (options.CONF / "optim" / f"{option}.yaml").read_text().startswith("# ")


def test_muon_without_a_hidden_matrix() -> None:
    with pytest.raises(
        ConfigError, match=r"muon must have a hidden weight matrix.*optim=adamw"
    ):
        build_optimizer(MuonConfig(), network(depth=1))


@pytest.mark.parametrize(
    ("kind", "key", "value"),
    [
        (AdamConfig, "lr", 0.0),
        (AdamConfig, "lr", -1e-3),
        (AdamConfig, "lr", math.nan),
        (AdamConfig, "lr", math.inf),
        (AdamConfig, "weight_decay", -0.1),
        (AdamConfig, "weight_decay", math.nan),
        (AdamConfig, "warmup", 1.0),
        (AdamConfig, "warmup", -0.1),
        (AdamConfig, "final_lr", 1.1),
        (AdamConfig, "gamma", 0.0),
        (AdamConfig, "gamma", 1.5),
        (AdamConfig, "step_epochs", 0),
        (AdamConfig, "patience", 0),
        (AdamConfig, "clip_norm", 0.0),
        (AdamConfig, "label_smoothing", 1.0),
        (AdamConfig, "beta1", 1.0),
        (AdamWConfig, "beta2", -0.1),
        (AdamWConfig, "eps", 0.0),
        (SgdConfig, "momentum", 1.0),
        (SgdConfig, "momentum", 0.0),
        (MuonConfig, "momentum", 1.0),
        (MuonConfig, "adam_lr", 0.0),
    ],
)
def test_rules(kind: type[OptimConfig], key: str, value: float) -> None:
    with pytest.raises(ConfigError) as raised:
        build_optimizer(kind(**{key: value}), network())
    assert str(raised.value).startswith(f"optim.{key}: must be ")
    assert f"found {value!r}" in str(raised.value)
