"""The states of torch's random generators on all devices."""

import torch
from torch import Tensor


def seed_everything(seed: int) -> None:
    """Seed torch's generators on all devices, from which weights and random draws follow."""
    torch.manual_seed(seed)


def get_rng_state() -> dict[str, Tensor]:
    """Return the states of torch's generators by device type."""
    state = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        state["cuda"] = torch.cuda.get_rng_state()
    if torch.backends.mps.is_available():
        state["mps"] = torch.mps.get_rng_state()
    return state


def set_rng_state(state: dict[str, Tensor]) -> None:
    """Restore what `get_rng_state` returned, except for devices that are not available."""
    torch.set_rng_state(state["cpu"])
    if "cuda" in state and torch.cuda.is_available():
        torch.cuda.set_rng_state(state["cuda"])
    if "mps" in state and torch.backends.mps.is_available():
        torch.mps.set_rng_state(state["mps"])
