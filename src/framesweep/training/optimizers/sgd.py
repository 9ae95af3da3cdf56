"""Stochastic gradient descent with momentum."""

import torch
from torch import nn
from torch.optim import SGD

from framesweep.config.optimizers.sgd import SgdConfig
from framesweep.training.optimizers.eager import EagerSgd
from framesweep.training.optimizers.parameter_groups import split_by_decay


def build_sgd(config: SgdConfig, model: nn.Module) -> SGD:
    """Return SGD over the parameters of `model`."""
    optimizer = EagerSgd(
        split_by_decay(config.weight_decay, model.parameters()),
        lr=config.lr,
        momentum=config.momentum,
        nesterov=config.nesterov,
        fused=True,  # one kernel per update, as for Adam
    )
    # Torch would create the buffers in the first step, without a value. If the gradients of
    # that step overflow in fp16, the fused kernel leaves them so, and takes them for momentum
    # in the next step. After a step from zero they hold the gradient, as torch's would.
    if config.momentum:
        for parameter in model.parameters():
            optimizer.state[parameter]["momentum_buffer"] = torch.zeros_like(parameter)
    return optimizer
