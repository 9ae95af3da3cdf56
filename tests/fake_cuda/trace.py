"""Records which operations a function runs, and which of them would wait for the GPU."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry

VIEWS = frozenset(
    "view _unsafe_view t transpose as_strided slice select expand unsqueeze squeeze detach "
    "alias permute unfold split split_with_sizes unbind _reshape_alias lift_fresh diagonal "
    "narrow empty empty_like new_empty empty_strided new_empty_strided".split()
)
"""Operations without a kernel: those of shapes and strides, and those that only allocate."""

READS = frozenset("_local_scalar_dense item nonzero masked_select equal is_nonzero".split())
"""Operations for whose result the host waits."""

COPIES = frozenset("_to_copy copy_ to device_put".split())
"""Operations that copy from one device to another where these differ."""


@dataclass(slots=True)
class Trace:
    """What ran.

    Attributes:
        kernels: The operations on the GPU, by name.
        on_cpu: The operations on the CPU, by name.
        reads: Numbers that the host read from the GPU.
        copies: Copies between host and GPU for which the host waits.
        numbers: The operations on the GPU with the numbers that the host passed to them.
        recordable: Which of them a CUDA graph would contain, and repeat with these numbers.
        bytes: Bytes that the operations on the GPU read and wrote.
        flops: Floating-point operations of the matrix multiplications.
    """

    kernels: Counter[str] = field(default_factory=Counter)
    on_cpu: Counter[str] = field(default_factory=Counter)
    reads: list[str] = field(default_factory=list)
    copies: list[str] = field(default_factory=list)
    numbers: list[str] = field(default_factory=list)
    recordable: slice = field(default_factory=lambda: slice(0))
    bytes: int = 0
    flops: int = 0

    @property
    def num_kernels(self) -> int:
        """The number of operations on the GPU."""
        return sum(self.kernels.values())


class Tracer(TorchDispatchMode):
    """Records the operations that run within this context in a `Trace`."""

    def __init__(self) -> None:
        super().__init__()
        self.trace = Trace()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        namespace, name = func._schema.name.split("::")
        if name in READS and "cuda" in _devices((args, kwargs)):
            self.trace.reads.append(f"{name} {_shapes(_tensors(args))}")  # torch raises now
        # Torch has no fake kernels of fused optimizers with a tensor as their learning rate.
        out = None if name.startswith("_fused_") else func(*args, **kwargs)
        if namespace not in ("prim", "profiler"):  # questions about tensors, and marks
            self._record(func, name, args, kwargs, out)
        return out

    def _record(self, func: Any, name: str, args: Any, kwargs: Any, out: Any) -> None:
        trace = self.trace
        inputs, outputs = _tensors((args, kwargs)), _tensors(out)
        sources, targets = _devices(inputs), _devices(outputs)
        if name in COPIES and len(sources | targets) > 1 and not _is_asynchronous(args, kwargs):
            trace.copies.append(f"{name} {sorted(sources)} {_shapes(inputs)}")
        if name in VIEWS:
            return
        if "cuda" not in sources | targets:
            trace.on_cpu[name] += 1
            return
        trace.kernels[name] += 1
        trace.numbers.append(f"{name} {_numbers((args, kwargs))}")
        trace.bytes += _count_bytes(name, args, inputs, outputs)
        if func._overloadpacket in flop_registry:
            trace.flops += flop_registry[func._overloadpacket](*args, **kwargs, out_val=out)


def _tensors(tree: Any) -> list[Tensor]:
    return [leaf for leaf in tree_leaves(tree) if isinstance(leaf, Tensor)]


def _devices(tree: Any) -> set[str]:
    return {tensor.device.type for tensor in _tensors(tree)}


def _numbers(tree: Any) -> list[Any]:
    return [leaf for leaf in tree_leaves(tree) if isinstance(leaf, int | float | bool)]


def _shapes(tensors: list[Tensor]) -> list[tuple[int, ...]]:
    return [tuple(tensor.shape) for tensor in tensors]


def _is_asynchronous(args: Any, kwargs: dict[str, Any]) -> bool:
    """Return whether a copy was asked not to wait, by the argument `non_blocking`."""
    return bool(kwargs.get("non_blocking", False)) or (len(args) > 2 and args[2] is True)


def _count_bytes(name: str, args: Any, inputs: list[Tensor], outputs: list[Tensor]) -> int:
    """Return the bytes that an operation reads and writes, each element counted once."""
    if name in ("index_select", "index", "gather", "embedding"):
        inputs = inputs[1:]  # of the source only what is taken, which is as much as the output
        outputs = [*outputs, *outputs]
    if name == "_fused_sgd_" or name.startswith("_fused_adam"):
        outputs = [*inputs]  # nearly all of its arguments are changed in place
    elif name.startswith("_foreach_") and name.endswith("_"):
        outputs = _tensors(args[0])
    return sum(_stored_bytes(tensor) for tensor in (*inputs, *outputs))


def _stored_bytes(tensor: Tensor) -> int:
    """Return the bytes of a tensor's distinct elements: one that is expanded is read once."""
    sizes = zip(tensor.shape, tensor.stride(), strict=True)
    number = 1
    for size, stride in sizes:
        number *= size if stride else 1
    return int(number) * tensor.itemsize
