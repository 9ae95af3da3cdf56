"""The states of torch's random generators of the CPU and of the device in use."""

from typing import Any

import torch
from torch import Tensor


def seed_everything(seed: int) -> None:
    """Seed torch's generators on all devices, from which weights and random draws follow."""
    torch.manual_seed(seed)


def get_rng_state(device: torch.device) -> dict[str, Tensor]:
    """Return the states of torch's generators of the CPU and of `device`, by device type.

    Other devices are left alone: asking for the state of a GPU's generator opens a context on
    it, which takes hundreds of megabytes of its memory.
    """
    state = {"cpu": torch.get_rng_state()}
    if device.type != "cpu":
        state[device.type] = _module(device).get_rng_state()
    return state


def set_rng_state(state: dict[str, Tensor], device: torch.device) -> None:
    """Restore what `get_rng_state` returned; of another device, only the CPU's generator."""
    torch.set_rng_state(state["cpu"])
    if device.type != "cpu" and device.type in state:
        _module(device).set_rng_state(state[device.type])


def _module(device: torch.device) -> Any:
    """Return torch's module of a type of device, as `torch.cuda`."""
    return getattr(torch, device.type)
