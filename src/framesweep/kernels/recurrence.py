"""Recurrent layers in training on a CPU: one matrix product and one fused loop per step.

Automatic differentiation would multiply, step by step, for the gradient of the weights, too,
and keep a dozen tensors of each step. Here, that gradient is one product for all steps. States
are float32 in any precision, because their errors add up from step to step.

An LSTM does not gain: of the layers of torch, it is the one for which oneDNN has both passes.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from framesweep.kernels import openmp
from framesweep.kernels.layers import has_loops


@dataclass(frozen=True, slots=True)
class Cell:
    """A kind of recurrent layer.

    Attributes:
        loops: Returns the addresses of the two loops that compute a step and its gradient; see
            `loops.recurrence`.
        splits_gradient: Whether dL/dhidden is not dL/dgates.
    """

    loops: Callable[[], tuple[int, int]]
    splits_gradient: bool = False


# Numba takes half a second to import, and is needed only once a loop runs.


def _gru_loops() -> tuple[int, int]:
    from framesweep.kernels.loops import recurrence

    return recurrence.compile_gru_forward(), recurrence.compile_gru_backward()


def _light_gru_loops() -> tuple[int, int]:
    from framesweep.kernels.loops import recurrence

    return recurrence.compile_light_gru_forward(), recurrence.compile_light_gru_backward()


GRU = Cell(_gru_loops, splits_gradient=True)
LIGHT_GRU = Cell(_light_gru_loops)


def can_recur(x: Tensor) -> bool:
    """Return whether `recur` works for gates like x (N, S, G * W)."""
    return has_loops(x) and x.numel() > 0


def recur(cell: Cell, gates: Tensor, recurrent: Tensor, bias: Tensor | None = None) -> Tensor:
    """Return the states of a layer in one direction from zeros on, as (N, S, W) float32.

    Args:
        cell: The kind of layer, whose equations are in `loops.recurrence`.
        gates: (N, S, G * W) gates as far as they depend on the layer's input, with its bias.
        recurrent: (G * W, W), by which the last state is multiplied.
        bias: (G * W,) of that product; None if it is part of `gates`.
    """
    kind = gates.device.type
    dtype = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else gates.dtype
    return _Recur.apply(cell, gates, recurrent, bias, dtype)  # type: ignore[no-any-return, no-untyped-call]


class _Recur(Function):
    """The loop over the steps. Arrays are (S, N, ...), so that those of a step are dense."""

    @staticmethod
    def forward(
        ctx: Any,
        cell: Cell,
        gates: Tensor,
        recurrent: Tensor,
        bias: Tensor | None,
        dtype: torch.dtype,
    ) -> Tensor:
        steps = _by_step(gates)
        states = steps.new_empty(len(steps) + 1, steps.shape[1], recurrent.shape[1])
        states[0] = 0.0
        memory = torch.empty_like(states[1:])
        hidden = torch.empty_like(steps[0])
        added = torch.zeros_like(recurrent[:, 0]) if bias is None else bias
        weight = recurrent.t().contiguous()
        shape = np.array(states.shape[1:], dtype=np.int64)
        shared = shape.ctypes.data, hidden.data_ptr(), added.data_ptr()
        loop, _ = cell.loops()
        pointers = zip(*map(_addresses, (steps, states[:-1], memory, states[1:])), strict=True)
        for last, step in zip(states, pointers, strict=False):
            torch.mm(last, weight, out=hidden)
            openmp.run_on_threads(loop, (*shared, *step))
        ctx.save_for_backward(recurrent, steps, states, memory)
        ctx.cell, ctx.has_bias, ctx.dtypes = cell, bias is not None, (dtype, gates.dtype)
        return states[1:].transpose(0, 1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor | None, ...]:
        recurrent, steps, states, memory = ctx.saved_tensors
        cell, (dtype, gates_dtype) = ctx.cell, ctx.dtypes
        gradients = torch.empty_like(steps)
        hidden_gradients = torch.empty_like(steps) if cell.splits_gradient else gradients
        carry, ahead = states.new_zeros(2, *states.shape[1:])
        above = _by_step(dy)
        shape = np.array(states.shape[1:], dtype=np.int64)
        shared = shape.ctypes.data, carry.data_ptr(), ahead.data_ptr()
        _, loop = cell.loops()
        arrays = steps, states[:-1], memory, above, gradients, hidden_gradients
        pointers = list(zip(*map(_addresses, arrays), strict=True))
        for index in reversed(range(len(steps))):
            openmp.run_on_threads(loop, (*shared, *pointers[index]))
            torch.mm(hidden_gradients[index], recurrent, out=ahead)
        flat = hidden_gradients.flatten(0, 1)
        product = torch.mm(flat.to(dtype).t(), states[:-1].flatten(0, 1).to(dtype))
        return (
            None,
            gradients.transpose(0, 1).to(gates_dtype),
            product.to(recurrent.dtype),
            flat.sum(dim=0) if ctx.has_bias else None,
            None,
        )


def _by_step(x: Tensor) -> Tensor:
    """Return a copy of (N, S, W) as dense (S, N, W) in float32."""
    steps = x.transpose(0, 1)
    return x.new_empty(steps.shape, dtype=torch.float32).copy_(steps)


def _addresses(x: Tensor) -> list[int]:
    """Return the address of each step of dense (S, N, W) float32."""
    first, size = x.data_ptr(), x.stride(0) * x.element_size()
    return [first + step * size for step in range(len(x))]
