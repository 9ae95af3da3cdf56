"""Torch's optimizers without torch.compile, whose import would take the first second of a run.

Torch excludes the methods of an optimizer from compilation by decorators that import
`torch._dynamo` when they are first called. No optimizer is compiled here: with
`hardware.compile`, the compiled part of a step ends with the gradients. The classes below
therefore call the decorated functions themselves. In a version of torch that decorates nothing,
there is nothing to remove, and they behave as torch's own.
"""

import inspect
from collections.abc import Callable
from typing import Any

import torch
from torch.optim import SGD, Adam, AdamW, Muon, Optimizer


class EagerOptimizer(Optimizer):
    """An optimizer whose own methods import no compiler; the base of every other class here."""

    add_param_group = inspect.unwrap(Optimizer.add_param_group)
    load_state_dict = inspect.unwrap(Optimizer.load_state_dict)
    state_dict = inspect.unwrap(Optimizer.state_dict)
    zero_grad = inspect.unwrap(Optimizer.zero_grad)


def _eager_step(kind: type[Optimizer]) -> Callable[..., Any]:
    """Return the `step` of torch's class, without gradients as its decorator has it."""
    # An optimizer of this class may exist already, which has wrapped its step once more.
    bare: Callable[..., Any] = inspect.unwrap(kind.step)
    return torch.no_grad()(bare)


class EagerAdam(EagerOptimizer, Adam):
    """Torch's Adam."""

    step = _eager_step(Adam)


class EagerAdamW(EagerOptimizer, AdamW):
    """Torch's AdamW."""

    step = _eager_step(AdamW)


class EagerSgd(EagerOptimizer, SGD):
    """Torch's SGD."""

    step = _eager_step(SGD)


class EagerMuon(EagerOptimizer, Muon):
    """Torch's Muon."""

    step = _eager_step(Muon)
