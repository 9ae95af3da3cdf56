"""A small perceptron, batches that it can learn, and steps of an optimizer on them."""

from typing import Any

import torch
from torch import Tensor

from framesweep.config import MlpConfig, OptimConfig
from framesweep.models.build import build_model
from framesweep.models.mlp import MLP
from framesweep.training.losses import build_loss


def network(seed: int = 0, depth: int = 3) -> MLP:
    torch.manual_seed(seed)
    model = build_model(MlpConfig(width=8, depth=depth, dropout=0.0), 12, 5)
    assert isinstance(model, MLP)
    return model


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
