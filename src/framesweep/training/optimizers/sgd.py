"""Stochastic gradient descent with momentum."""

from torch import nn
from torch.optim import SGD

from framesweep.config.optimizers.sgd import SgdConfig
from framesweep.training.optimizers.parameter_groups import split_by_decay


def build_sgd(config: SgdConfig, model: nn.Module) -> SGD:
    """Return SGD over the parameters of `model`."""
    return SGD(
        split_by_decay(config.weight_decay, model.parameters()),
        lr=config.lr,
        momentum=config.momentum,
        nesterov=config.nesterov,
        fused=True,  # one kernel per update, as for Adam
    )
