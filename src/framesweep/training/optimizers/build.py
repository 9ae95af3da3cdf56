"""Builds the optimizer that an `optim` config describes."""

from torch import nn
from torch.optim import Optimizer

from framesweep.config import OptimConfig
from framesweep.config.registry import builder_of
from framesweep.training.optimizers.rates import move_rates


def build_optimizer(config: OptimConfig, model: nn.Module) -> Optimizer:
    """Return the optimizer of `config`'s type over all parameters of `model`.

    The function that the schema names in `built_by` builds it. Each parameter group then
    remembers its peak learning rate as `initial_lr`, which the schedule scales.

    Raises:
        ConfigError: if a value is out of range, or the network does not suit the optimizer.
    """
    optimizer: Optimizer = builder_of(config)(config, model)
    for group in optimizer.param_groups:
        group["initial_lr"] = group["lr"]
    move_rates(optimizer, next(model.parameters()).device)
    return optimizer
