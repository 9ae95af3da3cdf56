"""The light GRU: against its formula, step by step in float64."""

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from framesweep.config import LightGruConfig
from framesweep.models.light_gru import LightGru, recur

WIDTH, IN_WIDTH = 4, 3


def build(**keys: Any) -> LightGru:
    torch.manual_seed(0)
    return LightGru(LightGruConfig(**keys), IN_WIDTH, WIDTH)


def by_formula(layer: LightGru, x: Tensor) -> Tensor:
    """Return the states for one sequence (S, in): z h + (1 - z) c, unit by unit."""
    weights = {name: w.detach().double() for name, w in layer.state_dict().items()}
    inputs = x.double() @ weights["input.weight"].T + weights["input.bias"]
    if "norm.weight" in weights:
        deviation = inputs.var(dim=1, correction=0, keepdim=True).add(1e-5).sqrt()
        inputs = (inputs - inputs.mean(dim=1, keepdim=True)) / deviation
        inputs = inputs * weights["norm.weight"] + weights["norm.bias"]
    state = [0.0] * WIDTH
    states = []
    for step in inputs:
        sums = [
            step[i] + weights["recurrent"][i] @ torch.tensor(state).double() for i in range(8)
        ]
        z = [1 / (1 + torch.exp(-total)) for total in sums[:WIDTH]]
        c = [max(float(total), 0.0) for total in sums[WIDTH:]]
        state = [float(z[i] * state[i] + (1 - z[i]) * c[i]) for i in range(WIDTH)]
        states.append(state)
    return torch.tensor(states)


@pytest.mark.parametrize("norm", ["layer", "none"])
def test_its_states_follow_from_the_formula(norm: Any) -> None:
    layer = build(norm=norm)
    x = torch.randn(2, 7, IN_WIDTH)
    states, last = layer(x)
    expected = torch.stack([by_formula(layer, sequence) for sequence in x])
    torch.testing.assert_close(states, expected)
    torch.testing.assert_close(last, states[:, -1])


def test_its_gradients_are_those_of_finite_differences() -> None:
    layer = build().double()
    x = torch.randn(2, 4, IN_WIDTH, dtype=torch.float64, requires_grad=True)
    weights = dict(layer.named_parameters())

    def states(x: Tensor, *values: Tensor) -> Tensor:
        keys = zip(weights, values, strict=True)
        result: Tensor = torch.func.functional_call(layer, dict(keys), (x,))[0]
        return result

    assert torch.autograd.gradcheck(states, (x, *weights.values()))


def test_its_state_is_float32_under_autocast() -> None:
    layer = build()
    x = torch.randn(1, 200, IN_WIDTH)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        states, last = layer(x)
        gates = layer.norm(F.linear(x, layer.input.weight, layer.input.bias)).float()
    assert states.dtype == last.dtype == torch.float32
    torch.testing.assert_close(states, recur(gates, layer.recurrent)[0])
