"""Records the matrix multiplications of a computation and repeats them alone.

They are the upper bound of a step's speed, for any network: the operations are those that torch
was asked for, with their shapes, strides and types.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

_OPERATIONS = ("mm", "addmm", "bmm", "baddbmm", "convolution", "convolution_backward")


class MatmulRecorder(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """A context that records the matrix multiplications within it.

    Attributes:
        flops: Floating-point operations of the multiplications, one for each addition and one
            for each multiplication.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.clear()

    def clear(self) -> None:
        """Forget what was recorded."""
        self._calls: list[tuple[Any, tuple[Any, ...], dict[str, Any]]] = []
        self.flops = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        output = func(*args, **(kwargs or {}))
        name = func.name().split("::")[1].split(".")[0]
        if name in _OPERATIONS:
            shaped = tuple(_Shape(a) if isinstance(a, Tensor) else a for a in args)
            self._calls.append((func, shaped, kwargs or {}))
            self.flops += _count_flops(name, args, output)
        return output

    def build_replay(self) -> Callable[[], None]:
        """Return a function that repeats the multiplications on random values."""
        calls = [
            (func, tuple(a.build() if isinstance(a, _Shape) else a for a in args), kwargs)
            for func, args, kwargs in self._calls
        ]

        def replay() -> None:
            for func, args, kwargs in calls:
                func(*args, **kwargs)

        return replay


class _Shape:
    """The shape, strides, type and device of a tensor."""

    def __init__(self, tensor: Tensor) -> None:
        self.size, self.stride = tensor.shape, tensor.stride()
        self.dtype, self.device = tensor.dtype, tensor.device

    def build(self) -> Tensor:
        """Return such a tensor with normally distributed values."""
        tensor = torch.empty_strided(
            self.size, self.stride, dtype=self.dtype, device=self.device
        )
        return tensor.normal_()


def _count_flops(name: str, args: Any, output: Any) -> int:
    """Return the operations of one call, each multiplication and each addition counted."""
    if name == "convolution":
        return 2 * int(output.numel() * args[1].numel() // args[1].shape[0])
    if name == "convolution_backward":
        dy, _, weight = args[:3]
        # One multiplication for each gradient that was asked for, but for that of the bias.
        return 2 * int(sum(args[-1][:2])) * int(dy.numel() * weight.numel() // weight.shape[0])
    first, second = args[:2] if name in ("mm", "bmm") else args[1:3]
    return 2 * int(first.numel() * second.shape[-1])


def capture(function: Callable[[], None], device: torch.device) -> Callable[[], None]:
    """Return a replay of a function's kernels from a CUDA graph; itself on a CPU."""
    if device.type != "cuda":
        return function
    stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(3):
            function()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        function()
    return graph.replay
