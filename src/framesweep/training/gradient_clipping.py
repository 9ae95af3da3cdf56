"""Clipping of the gradient by its norm."""

from collections.abc import Iterable

from torch import Tensor, nn

from framesweep.config import OptimConfig


def clip_gradients(config: OptimConfig, parameters: Iterable[Tensor]) -> Tensor | None:
    """Scale the gradient down if its 2-norm exceeds `config.clip_norm`.

    An accelerator is not synchronized with the host.

    Returns:
        The norm before clipping, a scalar on the device, or None if nothing is clipped.
    """
    if config.clip_norm is None:
        return None
    return nn.utils.clip_grad_norm_(parameters, config.clip_norm)
