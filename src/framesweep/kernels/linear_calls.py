"""Lists the linear layers that a forward pass computes, with the sizes of their inputs."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from framesweep.kernels.backends import LinearCall, with_torch


def list_linear_calls(
    network: nn.Module,
    num_items: int,
    item: Tensor,
    classify: Callable[[Tensor], Tensor] | None = None,
    *,
    training: bool = True,
) -> list[LinearCall]:
    """Return the uses of linear layers in a forward pass of `network`, in their order.

    Copies of an item are passed through the network, and the rows that each layer gets are
    scaled up to the batch. Weights, running statistics and random generators stay as they are.

    Args:
        network: Maps (N, D) to logits, on the CPU.
        num_items: N of the batch.
        item: (D,) of the type of a batch.
        classify: A forward pass by other methods of the network; by default the network itself.
        training: Whether the network is in training mode.
    """
    # Two are the least that batch norm takes in training.
    num_probes = 2 if training else 1
    probe = item.expand(num_probes, -1).contiguous()
    calls: list[LinearCall] = []
    layers = [(n, m) for n, m in network.named_modules() if isinstance(m, nn.Linear)]
    was_training = network.training
    buffers = {name: buffer.clone() for name, buffer in network.named_buffers()}
    state = torch.get_rng_state()
    network.train(training)
    with with_torch([layer for _, layer in layers]):
        hooks = [
            layer.register_forward_pre_hook(_recorder(name, calls, num_items / num_probes))
            for name, layer in layers
        ]
        try:
            if classify is None:
                functional_call(network, buffers, (probe,))
            else:
                classify(probe)
        finally:
            for hook in hooks:
                hook.remove()
            network.train(was_training)
            torch.set_rng_state(state)
    return calls


def _recorder(
    name: str, calls: list[LinearCall], scale: float
) -> Callable[[nn.Linear, Any], None]:
    def record(layer: nn.Linear, args: tuple[Tensor]) -> None:
        (x,) = args
        rows = int(x.numel() // layer.in_features * scale)
        calls.append(
            LinearCall(name, rows, layer.in_features, layer.out_features, x.requires_grad)
        )

    return record
