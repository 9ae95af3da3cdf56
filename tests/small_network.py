"""A small perceptron, batches that it can learn, and steps of an optimizer on them."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from framesweep.config import MlpConfig, OptimConfig
from framesweep.models.build import build_model
from framesweep.models.mlp import MLP
from framesweep.training.losses import build_loss
from framesweep.training.optimizers.build import build_optimizer


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


def check_update_rule(
    config: Any, rule: Callable[[Any, np.ndarray, list[np.ndarray], float], np.ndarray]
) -> None:
    """Assert that four steps on random gradients change each parameter as `rule` does.

    Args:
        config: The optimizer's config.
        rule: Maps the config, a parameter, its gradients and its weight decay to the parameter
            after the steps. Only weight matrices have a decay.
    """
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
    for name, p in model.named_parameters():
        decay = config.weight_decay if name.endswith(("linear.weight", "output.weight")) else 0
        expected = rule(config, before[name], grads[name], decay)
        np.testing.assert_allclose(p.detach().numpy(), expected, rtol=1e-4, atol=1e-6)
