"""Learning rates that are kept on an NVIDIA GPU, where a recorded step reads them."""

from typing import Any

import torch
from torch import Tensor
from torch.optim import SGD, Adam, Optimizer

OWN_OPTIONS = ("lr", "capturable")
"""Options of a parameter group that suit the device it is on, whatever a checkpoint holds."""


def move_rates(optimizer: Optimizer, device: torch.device) -> None:
    """Make the learning rates 0-D tensors on an NVIDIA GPU, if the optimizer can read them.

    A recorded step contains every number that the host passed to a kernel as it was during the
    recording. So its learning rate must be a tensor, which is filled before each step. An
    optimizer that can't read one keeps a float, and its steps can't be recorded.

    Args:
        optimizer: An optimizer; those of torch must be fused.
        device: The device of its parameters.
    """
    if device.type != "cuda" or not _reads_tensors(optimizer):
        return
    by_value: dict[float, Tensor] = {}
    for group in optimizer.param_groups:
        rate = group["lr"]
        # Groups that share a rate share the tensor, so that one kernel fills it for all.
        if rate not in by_value:
            by_value[rate] = torch.full((), rate, dtype=torch.float32, device=device)
        group["lr"] = by_value[rate]
        if "capturable" in group:
            group["capturable"] = True


def has_device_rates(optimizer: Optimizer) -> bool:
    """Return whether the optimizer reads its learning rates from tensors."""
    return all(isinstance(group["lr"], Tensor) for group in optimizer.param_groups)


def set_rate(group: dict[str, Any], rate: float) -> None:
    """Set the learning rate of a parameter group, in place where it is a tensor."""
    if isinstance(group["lr"], Tensor):
        group["lr"].fill_(rate)  # a kernel with the number as its argument, not a copy
    else:
        group["lr"] = rate


def state_tensors(optimizer: Optimizer) -> list[Tensor]:
    """Return the tensors of an optimizer's state, or of the states of its parts."""
    parts = [optimizer, *getattr(optimizer, "parts", {}).values()]
    states = [state for part in parts for state in part.state.values()]
    return [v for state in states for v in state.values() if isinstance(v, Tensor)]


def optimizer_state(optimizer: Optimizer) -> dict[str, Any]:
    """Return the optimizer's state for a checkpoint, which may be loaded on another device."""
    state = optimizer.state_dict()
    for part in _parts(state):
        part["param_groups"] = [_portable(group) for group in part["param_groups"]]
    return state


def load_optimizer_state(optimizer: Optimizer, state: dict[str, Any]) -> None:
    """Load what `optimizer_state` returned on this or another device.

    The learning rates are those of the optimizer; the schedule sets them afterwards.
    """
    own = [
        {key: group[key] for key in OWN_OPTIONS if key in group}
        for group in optimizer.param_groups
    ]
    optimizer.load_state_dict(state)
    for group, options in zip(optimizer.param_groups, own, strict=True):
        group.update(options)


def _portable(group: dict[str, Any]) -> dict[str, Any]:
    """Return a group without a tensor; the schedule knows the rate from `initial_lr`."""
    rate = group["initial_lr"] if isinstance(group["lr"], Tensor) else group["lr"]
    portable = {**group, "lr": rate}
    if "capturable" in group:
        portable["capturable"] = False
    return portable


def _parts(state: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the states of an optimizer's parts, or the state itself if it has none."""
    return [state] if "param_groups" in state else list(state.values())


def _reads_tensors(optimizer: Optimizer) -> bool:
    if isinstance(optimizer, Adam | SGD):
        return all(group["fused"] for group in optimizer.param_groups)
    return bool(getattr(optimizer, "reads_tensor_rates", False))
