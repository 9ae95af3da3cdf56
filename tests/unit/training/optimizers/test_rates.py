"""Learning rates that a recorded step reads from the device, and checkpoints of them."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from framesweep.config import AdamConfig, AdamWConfig, MuonConfig, OptimConfig, SgdConfig
from framesweep.training.lr_schedules import Schedule
from framesweep.training.optimizers import rates
from framesweep.training.optimizers.build import build_optimizer
from framesweep.training.optimizers.muon import DeviceMuon
from framesweep.training.optimizers.rates import (
    has_device_rates,
    load_optimizer_state,
    move_rates,
    optimizer_state,
    state_tensors,
)
from small_network import network, train

CONFIGS: dict[str, OptimConfig] = {
    "adam": AdamConfig(lr=0.01, schedule="cosine", weight_decay=0.1),
    "adamw": AdamWConfig(lr=0.01, schedule="onecycle", weight_decay=0.1),
    "sgd": SgdConfig(lr=0.1, schedule="step", weight_decay=0.1),
}


class CudaLike:
    """A device that calls itself CUDA; its tensors are on the CPU."""

    type = "cuda"


@pytest.fixture
def on_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Create the rates of a device that calls itself CUDA on the CPU."""
    full = torch.full

    def full_on_cpu(*arguments: Any, device: Any = None, **keys: Any) -> Tensor:
        return full(*arguments, **keys)

    monkeypatch.setattr(rates.torch, "full", full_on_cpu)


def build(config: OptimConfig, *, on_device: bool) -> tuple[Any, Optimizer, Any]:
    model = network()
    optimizer = build_optimizer(config, model)
    if on_device:
        move_rates(optimizer, CudaLike())  # type: ignore[arg-type]
    return model, optimizer, Schedule(config, optimizer, 6, 3)


@pytest.mark.usefixtures("on_cpu")
@pytest.mark.parametrize("name", CONFIGS)
def test_a_rate_on_the_device_trains_as_a_number_does(name: str) -> None:
    plain, moved = (build(CONFIGS[name], on_device=kind) for kind in (False, True))
    assert not has_device_rates(plain[1])
    assert has_device_rates(moved[1])
    kept = [group["lr"] for group in moved[1].param_groups]
    assert kept[0] is kept[1]  # one kernel fills the rate of both groups
    for model, optimizer, schedule in (plain, moved):
        train(model, optimizer, range(5), schedule)
    assert all(
        group["lr"] is rate for group, rate in zip(moved[1].param_groups, kept, strict=True)
    )
    assert moved[2].lr == plain[2].lr == pytest.approx(float(kept[0]))
    for one, other in zip(plain[0].parameters(), moved[0].parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-6)


@pytest.mark.usefixtures("on_cpu")
@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("first", [False, True])
def test_a_run_can_be_resumed_on_another_device(name: str, first: bool) -> None:
    whole = build(CONFIGS[name], on_device=False)
    train(*whole[:2], range(6), whole[2])
    cut, rest = (build(CONFIGS[name], on_device=kind) for kind in (first, not first))
    train(*cut[:2], range(3), cut[2])
    saved = optimizer_state(cut[1])
    assert all(isinstance(group["lr"], float) for group in saved["param_groups"])
    assert not any(group.get("capturable") for group in saved["param_groups"])
    rest[0].load_state_dict(cut[0].state_dict())
    options = [(group["lr"], group.get("capturable")) for group in rest[1].param_groups]
    load_optimizer_state(rest[1], saved)
    assert has_device_rates(rest[1]) == (not first)
    for group, (rate, capturable) in zip(rest[1].param_groups, options, strict=True):
        assert group["lr"] is rate
        assert group.get("capturable") == capturable
    rest[2].load_state_dict(cut[2].state_dict())
    train(*rest[:2], range(3, 6), rest[2])
    for one, other in zip(whole[0].parameters(), rest[0].parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-6)


class Foreign(Optimizer):
    """An optimizer that knows nothing of rates in tensors."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__(model.parameters(), {"lr": 0.1})

    def step(self) -> None:  # type: ignore[override]
        """Do nothing."""


@pytest.mark.usefixtures("on_cpu")
def test_an_optimizer_that_cannot_read_tensors_keeps_numbers() -> None:
    foreign = Foreign(network())
    move_rates(foreign, CudaLike())  # type: ignore[arg-type]
    assert [group["lr"] for group in foreign.param_groups] == [0.1]
    assert not has_device_rates(foreign)
    unfused = torch.optim.SGD(network().parameters(), lr=0.1)
    move_rates(unfused, CudaLike())  # type: ignore[arg-type]
    assert not has_device_rates(unfused)


def test_the_state_of_all_parts_is_listed() -> None:
    model = network(depth=4)
    optimizer: Any = build_optimizer(MuonConfig(), model)
    train(model, optimizer, range(1))
    num_parameters = len(list(model.parameters()))
    hidden = len(optimizer.parts["muon"].state)
    # A buffer for each of Muon's matrices; two moments and a count for all other parameters.
    assert hidden == 3
    assert len(state_tensors(optimizer)) == hidden + 3 * (num_parameters - hidden)
    assert not isinstance(optimizer.parts["muon"], DeviceMuon)
