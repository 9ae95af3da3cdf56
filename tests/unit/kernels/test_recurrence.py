"""Fused recurrent layers against torch's layers and the plain loop over the steps."""

import math
import sys
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from framesweep import kernels
from framesweep.kernels import layers
from framesweep.kernels.recurrence import GRU, LIGHT_GRU
from framesweep.models.light_gru import recur as plain_light_gru
from thread_counts import require_equal_bits

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs GNU OpenMP")
SHAPES = [(1, 1, 1), (3, 1, 5), (1, 7, 4), (5, 23, 20)]
"""Numbers of sequences, of steps and of units."""
TOLERANCE = 2e-5


def torch_gru(gates: Tensor, recurrent: Tensor, bias: Tensor) -> Tensor:
    """Return the states of torch's GRU for gates that are already multiplied by its weights."""
    size = gates.shape[2]
    layer = nn.GRU(size, recurrent.shape[1], batch_first=True, dtype=gates.dtype)
    weights = {
        "weight_ih_l0": torch.eye(size, dtype=gates.dtype),
        "bias_ih_l0": torch.zeros(size, dtype=gates.dtype),
        "weight_hh_l0": recurrent,
        "bias_hh_l0": bias,
    }
    states: Tensor = torch.func.functional_call(layer, weights, (gates,))[0]
    return states


def light_gru(gates: Tensor, recurrent: Tensor, _bias: Tensor) -> Tensor:
    return plain_light_gru(gates, recurrent)[0]


CELLS = {"gru": (GRU, 3, torch_gru), "light_gru": (LIGHT_GRU, 2, light_gru)}


def draw(num_gates: int, shape: tuple[int, int, int]) -> tuple[Tensor, Tensor, Tensor]:
    """Return gates (N, S, G * W), recurrent weights (G * W, W) and a bias (G * W,)."""
    torch.manual_seed(1)
    num_sequences, num_steps, width = shape
    size = num_gates * width
    gates = torch.randn(num_sequences, num_steps, size, requires_grad=True)
    recurrent = (torch.randn(size, width) / math.sqrt(width)).requires_grad_()
    return gates, recurrent, torch.randn(size, requires_grad=True)


def run(name: str, gates: Tensor, recurrent: Tensor, bias: Tensor) -> Tensor:
    """Return the fused states; a light GRU has no bias."""
    cell, _, _ = CELLS[name]
    return kernels.recur(cell, gates, recurrent, bias if cell is GRU else None)


@pytest.mark.parametrize("name", CELLS)
@pytest.mark.parametrize("shape", SHAPES)
def test_states_and_gradients_are_those_of_the_plain_layer_in_float64(
    name: str, shape: tuple[int, int, int]
) -> None:
    _, num_gates, oracle = CELLS[name]
    inputs = draw(num_gates, shape)
    exact = [value.detach().double().requires_grad_() for value in inputs]
    before = inputs[0].detach().clone()
    dy = torch.randn(shape)
    states, expected = run(name, *inputs), oracle(*exact)
    states.backward(dy)
    expected.backward(dy.double())

    assert states.shape == shape
    assert torch.equal(inputs[0], before), "the gates belong to the caller"
    torch.testing.assert_close(states.double(), expected, rtol=TOLERANCE, atol=TOLERANCE)
    for value, other in zip(inputs, exact, strict=True):
        if other.grad is None:  # a light GRU has no bias
            assert value.grad is None
            continue
        assert value.grad is not None
        torch.testing.assert_close(
            value.grad.double(), other.grad, rtol=TOLERANCE, atol=20 * TOLERANCE
        )


@pytest.mark.parametrize("name", CELLS)
def test_in_bf16_the_states_stay_float32_and_gradients_have_the_type_of_their_value(
    name: str,
) -> None:
    gates, recurrent, bias = draw(CELLS[name][1], (4, 9, 8))
    low = gates.detach().bfloat16().requires_grad_()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        states = run(name, low, recurrent, bias)
    assert states.dtype == torch.float32
    # The gates alone are rounded, the recurrence is not.
    assert torch.equal(states, run(name, low.detach().float(), recurrent, bias))
    states.sum().backward()
    assert low.grad is not None
    assert low.grad.dtype == torch.bfloat16
    assert recurrent.grad is not None
    exact = torch.autograd.grad(run(name, gates, recurrent, bias).sum(), recurrent)[0]
    assert recurrent.grad.dtype == torch.float32
    assert (recurrent.grad - exact).norm() < 0.02 * exact.norm()


@pytest.mark.parametrize("name", CELLS)
def test_nan_and_infinity_come_through(name: str) -> None:
    gates, recurrent, bias = (v.detach() for v in draw(CELLS[name][1], (1, 3, 4)))
    for part in range(CELLS[name][1]):
        broken = gates.clone()
        broken[0, 1, 4 * part] = math.nan
        states = run(name, broken, recurrent, bias)
        assert states[0, 0].isfinite().all()
        assert states[0, 1, 0].isnan()
        assert states[0, 2].isnan().all()
    huge = gates * 1e30
    expected = CELLS[name][2](huge.double(), recurrent.double(), bias.double())
    torch.testing.assert_close(run(name, huge, recurrent, bias).double(), expected)


@pytest.mark.parametrize("name", CELLS)
def test_the_number_of_threads_changes_no_bit(name: str) -> None:
    def compute() -> list[Tensor]:
        inputs = draw(CELLS[name][1], (7, 12, 32))
        states = run(name, *inputs)
        states.square().sum().backward()
        gradients = [value.grad for value in inputs if value.grad is not None]
        return [states, *gradients]

    require_equal_bits(compute, (1, 2, 3))


def test_other_types_and_empty_batches_are_left_to_torch(monkeypatch: Any) -> None:
    assert kernels.can_recur(torch.zeros(2, 3, 4))
    assert not kernels.can_recur(torch.zeros(0, 3, 4))
    assert not kernels.can_recur(torch.zeros(2, 3, 4, dtype=torch.float64))
    assert not kernels.can_recur(torch.zeros(2, 3, 4, device="meta"))
    monkeypatch.setattr(layers, "_compiled", lambda: False)
    assert not kernels.can_recur(torch.zeros(2, 3, 4))


@pytest.mark.parametrize("name", CELLS)
def test_the_default_type_of_tensors_does_not_matter(name: str) -> None:
    inputs = draw(CELLS[name][1], (2, 3, 4))
    before = torch.get_default_dtype()
    try:
        torch.set_default_dtype(torch.float64)
        run(name, *inputs).sum().backward()
    finally:
        torch.set_default_dtype(before)
    assert inputs[0].grad is not None
    assert inputs[0].grad.dtype == torch.float32
