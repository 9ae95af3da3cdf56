"""Muon: which parameters it takes, and what its update looks like."""

import math
from typing import Any

import pytest
import torch
from torch import nn
from torch.optim import Muon

from framesweep.config.optimizers.muon import MuonConfig
from framesweep.errors import ConfigError
from framesweep.system.hardware import Hardware
from framesweep.training.optimizers.build import build_optimizer
from framesweep.training.optimizers.muon import DeviceMuon, MuonWithAdamW
from small_network import batch, network, train


def test_muon_updates_hidden_matrices_and_adamw_the_rest() -> None:
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
    model: Any = network(depth=3)
    weight = model.layers[1].linear.weight
    before = weight.detach().clone()
    optimizer = build_optimizer(MuonConfig(lr=0.1), model)
    train(model, optimizer, range(1))
    assert weight.grad is not None
    spread = torch.linalg.svdvals(weight.grad)
    assert spread[0] > 10 * spread[-1]
    values = torch.linalg.svdvals(before - weight.detach()) / 0.1
    assert 0.3 < values.min() <= values.max() < 1.5


def test_muon_without_a_hidden_matrix_is_refused() -> None:
    with pytest.raises(
        ConfigError, match=r"muon must have a hidden weight matrix.*optim=adamw"
    ):
        build_optimizer(MuonConfig(), network(depth=1))


def step_on_device(muon: Muon, found_inf: float | None) -> None:
    assert isinstance(muon, DeviceMuon)
    muon.found_inf = None if found_inf is None else torch.tensor(found_inf)
    muon.step()


@pytest.mark.parametrize("shape", [(8, 8), (12, 5), (5, 12)])
@pytest.mark.parametrize("rate", [0.02, torch.tensor(0.02)])
def test_muon_on_a_device_computes_what_torch_does(shape: tuple[int, int], rate: Any) -> None:
    torch.manual_seed(0)
    plain = nn.Parameter(torch.randn(shape))
    moved = nn.Parameter(plain.detach().clone())
    keys: dict[str, Any] = {"weight_decay": 0.1, "momentum": 0.9}
    reference, muon = Muon([plain], lr=0.02, **keys), DeviceMuon([moved], lr=0.02, **keys)
    muon.param_groups[0]["lr"] = rate
    for _ in range(4):
        plain.grad = torch.randn(shape)
        moved.grad = plain.grad.clone()
        reference.step()
        step_on_device(muon, 0.0)
        torch.testing.assert_close(moved, plain, rtol=1e-4, atol=1e-5)
    found, expected = muon.state[moved], reference.state[plain]
    torch.testing.assert_close(found["momentum_buffer"], expected["momentum_buffer"])


def test_muon_on_a_device_changes_nothing_after_an_overflow() -> None:
    weight = nn.Parameter(torch.ones(4, 4))
    muon = DeviceMuon([weight], lr=0.1, weight_decay=0.1)
    weight.grad = torch.full((4, 4), math.inf)
    step_on_device(muon, 1.0)
    assert torch.equal(weight, torch.ones(4, 4))
    assert not muon.state[weight]["momentum_buffer"].any()


def test_the_gradient_scaler_reads_no_number_for_muon_on_a_device() -> None:
    """An overflow is heeded by both parts, and scaled gradients are scaled back."""
    model = network(depth=4)
    optimizer: Any = build_optimizer(MuonConfig(lr=0.05), model)
    matrices = optimizer.parts["muon"].param_groups[0]["params"]
    on_device = MuonWithAdamW(DeviceMuon(matrices, lr=0.05), optimizer.parts["adamw"])
    hardware = Hardware(torch.device("cpu"), "fp16", threads=1, compile=False)
    before = [parameter.detach().clone() for parameter in model.parameters()]
    for factor, changes in ((math.inf, False), (1.0, True)):
        x, labels = batch(0)
        on_device.zero_grad()
        hardware.backward(nn.functional.cross_entropy(model(x), labels) * factor)
        hardware.step(on_device)
        pairs = zip(model.parameters(), before, strict=True)
        assert all(torch.equal(p, start) != changes for p, start in pairs if p.grad.any())
    assert 0 < on_device.parts["muon"].state[matrices[0]]["momentum_buffer"].abs().max() < 10
