"""The implementations of matrix multiplication on a CPU, and which of them a layer uses.

Which one is the fastest depends on the processor, the type, the shapes and on which factor is
transposed: MKL, which `torch.mm` calls in float32, is slower than oneDNN on processors that are
not Intel's and faster on those that are. `system.matmul_choice` measures it.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import torch
from torch import Tensor, nn

from framesweep.kernels import matmul

Matmul = Callable[[Tensor, Tensor], Tensor]
"""Returns a @ b.t() for a (M, K) and b (N, K)."""

TORCH, ONEDNN, COPIED = "torch", "onednn", "copied"
"""Names of implementations, which checkpoints contain. `copied` is `torch` on a contiguous copy
of the first factor."""

MATMULS: Mapping[str, Matmul] = {
    TORCH: lambda a, b: torch.mm(a, b.t()),
    ONEDNN: matmul.multiply,
    COPIED: lambda a, b: torch.mm(a.contiguous(), b.t()),
}


class Backends(NamedTuple):
    """The implementations of a linear layer's three matrix multiplications, by name."""

    forward: str
    input_gradient: str
    weight_gradient: str


class LinearCall(NamedTuple):
    """One use of a linear layer in a forward pass.

    Attributes:
        layer: The layer's name in its network.
        rows: Rows of its input.
        needs_input_gradient: Whether the backward pass computes the gradient of its input.
    """

    layer: str
    rows: int
    fan_in: int
    fan_out: int
    needs_input_gradient: bool


_UNMEASURED = {
    torch.float32: Backends(ONEDNN, ONEDNN, ONEDNN),
    torch.bfloat16: Backends(TORCH, TORCH, TORCH),
}
"""What runs used before the choice was measured; a checkpoint without a choice is from then."""


def is_available(name: str) -> bool:
    """Return whether this machine has the implementation of this name."""
    return name in MATMULS and (name != ONEDNN or matmul.available())


def default_backends(dtype: torch.dtype) -> Backends | None:
    """Return the backends of a layer for which nothing was measured; None for other types."""
    backends = _UNMEASURED.get(dtype)
    if backends is None or all(map(is_available, backends)):
        return backends
    return Backends(TORCH, TORCH, TORCH)


def list_candidates(operation: str, dtype: torch.dtype) -> list[str]:
    """Return the implementations that may be the fastest for an operation of a layer."""
    names = [TORCH, ONEDNN]
    if operation == "weight_gradient" and dtype == torch.bfloat16:
        # Units that multiply tiles (AMX) read a transposed factor slowly. Copying it costs less
        # where the batch is long. In float32 it never does.
        names.append(COPIED)
    return [name for name in names if is_available(name)]


def set_backends(layer: nn.Linear, dtype: torch.dtype, backends: Backends) -> None:
    """Let `linear` compute a layer by these implementations in inputs of this type."""
    layer.__dict__["backends"] = (dtype, backends)  # nn.Module has a slow path for the rest


def get_backends(layer: nn.Linear, dtype: torch.dtype) -> Backends | None:
    """Return the implementations of a layer for this type; None if it is not supported."""
    chosen: tuple[torch.dtype | None, Backends] | None = layer.__dict__.get("backends")
    if chosen is not None and chosen[0] in (dtype, None):  # None stands for all types
        return chosen[1]
    return default_backends(dtype)


@contextmanager
def with_torch(layers: Sequence[nn.Linear]) -> Iterator[None]:
    """Let `linear` call the layers' own `forward` in this context, so that its hooks run."""
    before = [layer.__dict__.get("backends") for layer in layers]
    for layer in layers:
        layer.__dict__["backends"] = (None, Backends(TORCH, TORCH, TORCH))
    try:
        yield
    finally:
        for layer, backends in zip(layers, before, strict=True):
            layer.__dict__["backends"] = backends


def build_factors(
    operation: str, call: LinearCall, dtype: torch.dtype
) -> tuple[Tensor, Tensor]:
    """Return factors a and b of the product a @ b.t() that an operation computes."""
    x, weight, dy = (
        # The values do not matter for the time, as long as they are normal numbers.
        torch.ones(shape, dtype=dtype)
        for shape in (
            (call.rows, call.fan_in),
            (call.fan_out, call.fan_in),
            (call.rows, call.fan_out),
        )
    )
    if operation == "forward":
        return x, weight
    return (dy, weight.t()) if operation == "input_gradient" else (dy.t(), x.t())


def find_fastest(
    operation: str,
    call: LinearCall,
    dtype: torch.dtype,
    *,
    repeats: int = 3,
    margin: float = 0.03,
    clock: Callable[[], float] | None = None,
) -> str:
    """Return the name of the implementation that computes an operation the fastest.

    They take turns, and the shortest time of each counts, so that other processes hardly affect
    the choice. One that is not faster by `margin` does not replace the default. The clock is by
    default the CPU time of this thread if it computes alone, and otherwise wall time.
    """
    if clock is None:
        clock = time.thread_time if torch.get_num_threads() == 1 else time.perf_counter
    a, b = build_factors(operation, call, dtype)
    times = dict.fromkeys(list_candidates(operation, dtype), float("inf"))
    for name in times:
        MATMULS[name](a, b)  # allocates memory, and lets oneDNN generate its code
    for _ in range(repeats):
        for name, least in times.items():
            started = clock()
            MATMULS[name](a, b)
            times[name] = min(least, clock() - started)
    defaults = default_backends(dtype)
    assert defaults is not None
    default: str = getattr(defaults, operation)
    fastest = min(times, key=times.__getitem__)
    return fastest if times[fastest] < (1 - margin) * times[default] else default
