"""What holds for every optimizer: it learns, resumes bit for bit, and checks its config."""

import io
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

import options
from framesweep.config import (
    SCHEMAS,
    MuonConfig,
    SgdConfig,
)
from framesweep.models.mlp import MLP
from framesweep.training.lr_schedules import Schedule
from framesweep.training.optimizers.build import build_optimizer
from small_network import batch, network, train

CONFIGS = [schema() for schema in SCHEMAS["optim"].values()]


@pytest.mark.parametrize("config", CONFIGS, ids=lambda c: type(c).__name__)
def test_every_optimizer_learns(config: Any) -> None:
    rates = {"lr": 0.1 if isinstance(config, SgdConfig) else 0.02}
    if isinstance(config, MuonConfig):
        rates["adam_lr"] = 0.02
    config = replace(config, **rates)
    losses = train(model := network(), build_optimizer(config, model), range(60))
    assert np.mean(losses[-5:]) < 0.5 * np.mean(losses[:5])


@pytest.mark.parametrize("schedule", ["constant", "onecycle"])
@pytest.mark.parametrize("config", CONFIGS, ids=lambda c: type(c).__name__)
def test_a_saved_optimizer_continues_bit_for_bit(config: Any, schedule: Any) -> None:
    config = replace(config, schedule=schedule)

    def begin(model: MLP) -> tuple[Any, Any]:
        optimizer = build_optimizer(config, model)
        return optimizer, Schedule(config, optimizer, 20, 5)

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
def test_zero_grad_deletes_all_gradients(config: Any) -> None:
    model = network()
    optimizer = build_optimizer(config, model)
    model(batch(0)[0]).sum().backward()
    optimizer.zero_grad()
    assert all(p.grad is None for p in model.parameters())


@pytest.mark.parametrize("option", options.names("optim"))
def test_every_option_builds(option: str) -> None:
    config = options.build("optim", option)
    assert type(config).__name__.lower() == f"{option}config"
    model = network()
    losses = train(model, build_optimizer(config, model), range(3))
    assert all(map(math.isfinite, losses))
    assert (options.CONF / "optim" / f"{option}.yaml").read_text().startswith("# ")
