"""The optimizers without a compiler compute what torch's own compute, bit for bit."""

import subprocess
import sys
from typing import Any

import pytest
import torch
from torch.optim import SGD, Adam, AdamW, Muon, Optimizer

from framesweep.training.optimizers.eager import (
    EagerAdam,
    EagerAdamW,
    EagerMuon,
    EagerSgd,
)

PAIRS = [
    (EagerAdam, Adam, {"lr": 0.01, "weight_decay": 0.1, "fused": True}),
    (EagerAdamW, AdamW, {"lr": 0.01, "weight_decay": 0.1, "fused": True}),
    (EagerSgd, SGD, {"lr": 0.01, "momentum": 0.9, "nesterov": True, "fused": True}),
    (EagerMuon, Muon, {"lr": 0.01, "weight_decay": 0.1}),
]

WITHOUT_COMPILER = """
import sys
import torch
from torch import nn
from framesweep.config.optimizers.adam import AdamConfig, AdamWConfig
from framesweep.config.optimizers.muon import MuonConfig
from framesweep.config.optimizers.sgd import SgdConfig
from framesweep.training.optimizers.build import build_optimizer

for config in (AdamConfig(), AdamWConfig(), SgdConfig(), MuonConfig()):
    network = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 5), nn.Linear(5, 2))
    optimizer = build_optimizer(config, network)
    network(torch.ones(2, 3)).sum().backward()
    optimizer.step()
    optimizer.load_state_dict(optimizer.state_dict())
    optimizer.zero_grad()
print("torch._dynamo" in sys.modules)
"""


def train(kind: type[Optimizer], options: dict[str, Any]) -> tuple[torch.Tensor, Any]:
    """Return a matrix after four steps with differing gradients, and the optimizer's state."""
    generator = torch.Generator().manual_seed(3)
    weight = torch.nn.Parameter(torch.randn(7, 5, generator=generator))
    optimizer: Any = kind([weight], **options)
    for _ in range(4):
        weight.grad = torch.randn(7, 5, generator=generator)
        optimizer.step()
        # A checkpoint between two steps must not change the next one.
        optimizer.load_state_dict(optimizer.state_dict())
    optimizer.zero_grad()
    assert weight.grad is None
    return weight.detach(), optimizer.state_dict()


@pytest.mark.parametrize(("eager", "original", "options"), PAIRS)
@pytest.mark.parametrize("original_first", [False, True])
def test_weights_and_state_equal_those_of_torch_bit_for_bit(
    eager: type[Optimizer],
    original: type[Optimizer],
    options: dict[str, Any],
    original_first: bool,
) -> None:
    kinds = (original, eager) if original_first else (eager, original)
    (weight, state), (other_weight, other_state) = (train(kind, options) for kind in kinds)
    assert torch.equal(weight, other_weight)
    assert state["param_groups"] == other_state["param_groups"]
    assert state["state"][0].keys() == other_state["state"][0].keys()
    for key, value in state["state"][0].items():
        assert torch.equal(
            torch.as_tensor(value), torch.as_tensor(other_state["state"][0][key])
        )


def test_a_step_records_no_gradient_and_runs_hooks_and_closures() -> None:
    weight = torch.nn.Parameter(torch.ones(2))
    optimizer = EagerSgd([weight], lr=0.5)
    calls: list[str] = []
    optimizer.register_step_pre_hook(lambda *_: calls.append("before"))
    optimizer.register_step_post_hook(lambda *_: calls.append("after"))

    def closure() -> torch.Tensor:
        assert torch.is_grad_enabled()
        loss = weight.sum()
        loss.backward()
        return loss

    loss: Any = optimizer.step(closure)
    assert loss.item() == 2.0
    assert calls == ["before", "after"]
    assert weight.tolist() == [0.5, 0.5]
    assert weight.requires_grad
    assert weight.grad_fn is None


def test_building_and_stepping_the_optimizers_imports_no_compiler() -> None:
    result = subprocess.run(
        [sys.executable, "-c", WITHOUT_COMPILER], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "False"
