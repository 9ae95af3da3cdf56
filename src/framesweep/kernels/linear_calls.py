"""Lists the linear layers that a forward pass computes, with the sizes of their inputs."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from framesweep.kernels.backends import LinearCall, with_torch

_PROBE_ITEMS = 2
"""Items of the batch that is passed through the network: the least that batch norm takes."""


def list_linear_calls(
    network: nn.Module, num_items: int, item: Tensor, *, training: bool = True
) -> list[LinearCall]:
    """Return the uses of linear layers in a forward pass of `network`, in their order.

    Two copies of an item are passed through the network, and the rows that each layer gets are
    scaled up to the batch. Weights, running statistics and random generators stay as they are.

    Args:
        network: Maps (N, D) to logits, on the CPU.
        num_items: N of the batch.
        item: (D,) of the type of a batch.
        training: Whether the network is in training mode.
    """
    probe = item.expand(_PROBE_ITEMS, -1).contiguous()
    was_training = network.training
    buffers = {name: buffer.clone() for name, buffer in network.named_buffers()}
    state = torch.get_rng_state()
    network.train(training)
    try:
        calls = record_linear_calls(
            network, lambda: functional_call(network, buffers, (probe,))
        )
    finally:
        network.train(was_training)
        torch.set_rng_state(state)
    return [call._replace(rows=call.rows * num_items // _PROBE_ITEMS) for call in calls]


def record_linear_calls(network: nn.Module, run: Callable[[], object]) -> list[LinearCall]:
    """Return the uses of the linear layers of `network` in `run`, in their order."""
    calls: list[LinearCall] = []
    layers = [(n, m) for n, m in network.named_modules() if isinstance(m, nn.Linear)]
    with with_torch([layer for _, layer in layers]):
        hooks = [
            layer.register_forward_pre_hook(_recorder(name, calls)) for name, layer in layers
        ]
        try:
            run()
        finally:
            for hook in hooks:
                hook.remove()
    return calls


def _recorder(name: str, calls: list[LinearCall]) -> Callable[[nn.Linear, Any], None]:
    def record(layer: nn.Linear, args: tuple[Tensor]) -> None:
        (x,) = args
        rows = x.numel() // layer.in_features
        calls.append(
            LinearCall(name, rows, layer.in_features, layer.out_features, x.requires_grad)
        )

    return record
