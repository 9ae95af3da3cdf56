"""The state of the random generators, saved and restored."""

from typing import Any

import torch
from torch import Tensor

from framesweep.system.random_state import get_rng_state, seed_everything, set_rng_state

CPU = torch.device("cpu")


def test_a_seed_determines_the_draws() -> None:
    seed_everything(3)
    first = torch.rand(4)
    seed_everything(3)
    assert torch.equal(torch.rand(4), first)


def test_a_restored_state_repeats_the_draws_and_ignores_other_devices() -> None:
    state = get_rng_state(CPU)
    expected = torch.rand(4)
    torch.rand(100)
    set_rng_state({**state, "cuda": torch.zeros(16, dtype=torch.uint8)}, CPU)
    assert torch.equal(torch.rand(4), expected)


def test_only_the_generator_of_the_device_in_use_is_asked(monkeypatch: Any) -> None:
    asked: list[str] = []
    states = {"cuda": torch.tensor([1]), "mps": torch.tensor([2]), "xpu": torch.tensor([3])}
    for name, value in states.items():
        module = getattr(torch, name)
        monkeypatch.setattr(module, "is_available", lambda: True, raising=False)

        def get(name: str = name, value: Tensor = value) -> Tensor:
            asked.append(name)
            return value

        monkeypatch.setattr(module, "get_rng_state", get)
        monkeypatch.setattr(
            module, "set_rng_state", lambda state, name=name: asked.append(f"set {name}")
        )
    assert list(get_rng_state(CPU)) == ["cpu"]
    assert asked == []
    for name in states:
        state = get_rng_state(torch.device(name))
        assert list(state) == ["cpu", name]
        set_rng_state(state, torch.device(name))
        set_rng_state({"cpu": state["cpu"]}, torch.device(name))  # of a run begun on a CPU
        set_rng_state(state, CPU)
    assert asked == ["cuda", "set cuda", "mps", "set mps", "xpu", "set xpu"]
