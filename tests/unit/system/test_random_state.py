"""The state of the random generators, saved and restored."""

import torch

from framesweep.system.random_state import get_rng_state, seed_everything, set_rng_state


def test_a_seed_determines_the_draws() -> None:
    seed_everything(3)
    first = torch.rand(4)
    seed_everything(3)
    assert torch.equal(torch.rand(4), first)


def test_a_restored_state_repeats_the_draws_and_ignores_devices_that_are_missing() -> None:
    state = get_rng_state()
    expected = torch.rand(4)
    torch.rand(100)
    set_rng_state({**state, "cuda": torch.zeros(16, dtype=torch.uint8)})
    assert torch.equal(torch.rand(4), expected)
