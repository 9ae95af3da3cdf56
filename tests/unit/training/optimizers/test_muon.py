"""Muon: which parameters it takes, and what its update looks like."""

from typing import Any

import pytest
import torch

from framesweep.config.optimizers.muon import MuonConfig
from framesweep.errors import ConfigError
from framesweep.training.optimizers.build import build_optimizer
from framesweep.training.optimizers.muon import MuonWithAdamW
from small_network import network, train


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
