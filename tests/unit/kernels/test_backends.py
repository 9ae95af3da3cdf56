"""Each implementation multiplies alike, and the fastest is found by the clock alone."""

import pytest
import torch
from torch import nn

from framesweep.kernels import backends
from framesweep.kernels.backends import (
    COPIED,
    MATMULS,
    ONEDNN,
    TORCH,
    Backends,
    LinearCall,
    build_factors,
    default_backends,
    find_fastest,
    get_backends,
    list_candidates,
    set_backends,
    with_torch,
)

CALL = LinearCall("output", rows=6, fan_in=4, fan_out=3, needs_input_gradient=True)
OPERATIONS = Backends._fields
ALL_TORCH = Backends(TORCH, TORCH, TORCH)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("operation", OPERATIONS)
def test_all_implementations_agree_on_the_products_of_a_layer(operation, dtype) -> None:
    a, b = build_factors(operation, CALL, dtype)
    a, b = torch.randn_like(a), torch.randn_like(b)
    for name in list_candidates(operation, dtype):
        expected = a.double() @ b.double().t()
        torch.testing.assert_close(MATMULS[name](a, b).double(), expected, atol=0.1, rtol=0.02)


def test_factors_have_the_shapes_of_the_three_products() -> None:
    shapes = {
        operation: [tuple(t.shape) for t in build_factors(operation, CALL, torch.float32)]
        for operation in OPERATIONS
    }
    assert shapes == {
        "forward": [(6, 4), (3, 4)],
        "input_gradient": [(6, 3), (4, 3)],
        "weight_gradient": [(3, 6), (4, 6)],
    }


class SlowMatmuls:
    """Implementations of known duration, and the clock that they move."""

    def __init__(self, **seconds: float) -> None:
        self.now = 0.0
        self.calls = {name: self.make(value) for name, value in seconds.items()}

    def make(self, seconds: float):
        def multiply(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
            self.now += seconds
            return a

        return multiply

    def clock(self) -> float:
        return self.now


@pytest.mark.parametrize(
    ("seconds", "fastest"),
    [
        ({TORCH: 1.0, ONEDNN: 2.0, COPIED: 3.0}, TORCH),
        ({TORCH: 2.0, ONEDNN: 1.0, COPIED: 3.0}, ONEDNN),
        ({TORCH: 2.0, ONEDNN: 3.0, COPIED: 1.0}, COPIED),
    ],
)
def test_the_fastest_implementation_is_found(monkeypatch, seconds, fastest) -> None:
    slow = SlowMatmuls(**seconds)
    monkeypatch.setattr(backends, "MATMULS", slow.calls)
    monkeypatch.setattr(backends.matmul, "available", lambda: True)
    found = find_fastest("weight_gradient", CALL, torch.bfloat16, clock=slow.clock)
    assert found == fastest


def test_one_that_is_hardly_faster_does_not_replace_the_default(monkeypatch) -> None:
    slow = SlowMatmuls(**{TORCH: 0.99, ONEDNN: 1.0})
    monkeypatch.setattr(backends, "MATMULS", slow.calls)
    monkeypatch.setattr(backends.matmul, "available", lambda: True)
    assert find_fastest("forward", CALL, torch.float32, clock=slow.clock) == ONEDNN


def test_without_onednn_torch_is_the_default_and_the_only_candidate(monkeypatch) -> None:
    monkeypatch.setattr(backends.matmul, "available", lambda: False)
    assert default_backends(torch.float32) == ALL_TORCH
    assert list_candidates("forward", torch.float32) == [TORCH]


def test_a_choice_applies_to_its_type_alone() -> None:
    layer = nn.Linear(4, 3)
    set_backends(layer, torch.bfloat16, Backends(TORCH, TORCH, COPIED))
    assert get_backends(layer, torch.bfloat16) == Backends(TORCH, TORCH, COPIED)
    assert get_backends(layer, torch.float32) == default_backends(torch.float32)
    assert get_backends(layer, torch.float64) is None


def test_layers_use_torch_for_a_while_and_then_their_choice_again() -> None:
    layer = nn.Linear(4, 3)
    set_backends(layer, torch.bfloat16, Backends(TORCH, TORCH, COPIED))
    with with_torch([layer]):
        assert get_backends(layer, torch.bfloat16) == ALL_TORCH
        assert get_backends(layer, torch.float32) == ALL_TORCH
    assert get_backends(layer, torch.bfloat16) == Backends(TORCH, TORCH, COPIED)
