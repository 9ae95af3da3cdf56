"""The device, precision and threads that a run computes with."""

import os
import shutil
from typing import Any, Literal, cast

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from framesweep import kernels
from framesweep.config import HardwareConfig
from framesweep.errors import ConfigError
from framesweep.system.cores import count_physical_cores
from framesweep.system.devices import resolve_device

Precision = Literal["fp32", "tf32", "bf16", "fp16"]
CudaGraph = Literal["auto", True, False]

_HALVES = {"bf16": torch.bfloat16, "fp16": torch.float16}
"""The types in which autocast multiplies matrices."""
_BF16_FLAGS = ("avx512_bf16", "amx_bf16", "bf16")
"""Flags of processors (x86, x86, ARM) that multiply matrices in bf16; others emulate it."""


class Hardware:
    """A device and a precision, and the parts of a training step that depend on them.

    Attributes:
        device: The device of the network and its batches.
        precision: The precision of matrix multiplications; weights and updates are float32.
        threads: Number of CPU threads.
        compile: Whether the training step is compiled.
        cuda_graph: Whether the training step is replayed from a CUDA graph; "auto" for
            wherever that is possible.
        sum_dtype: The widest floating-point type of the device, for sums over many frames.
        input_dtype: The type in which a batch is given to the network.
    """

    def __init__(
        self,
        device: torch.device,
        precision: Precision,
        threads: int,
        compile: bool,
        cuda_graph: CudaGraph = False,
    ) -> None:
        self.device = device
        self.precision = precision
        self.threads = threads
        self.compile = compile
        self.cuda_graph = cuda_graph
        self.sum_dtype = torch.float64 if _has_float64(device) else torch.float32
        self.input_dtype = _HALVES.get(precision, torch.float32)
        self._scaler = torch.amp.GradScaler(device.type, enabled=precision == "fp16")

    def place(self, model: nn.Module) -> nn.Module:
        """Move a network to the device."""
        return model.to(self.device)

    def autocast(self) -> torch.autocast:
        """Return a context in which matrix multiplications use the precision."""
        dtype = _HALVES.get(self.precision)
        return torch.autocast(self.device.type, dtype=dtype, enabled=dtype is not None)

    def backward(self, loss: Tensor) -> None:
        """Compute the gradients of a scalar loss, in fp16 scaled up to avoid underflow."""
        torch.autograd.backward(self._scaler.scale(loss))

    def unscale(self, optimizer: Optimizer) -> None:
        """Undo the scaling of the gradients, so that they can be clipped before `step`."""
        self._scaler.unscale_(optimizer)

    def step(self, optimizer: Optimizer) -> None:
        """Take an optimizer step, in fp16 only if no gradient has overflowed."""
        self._scaler.step(optimizer)
        self._scaler.update()

    def scaler_state(self) -> dict[str, Any]:
        """Return the state of the fp16 gradient scale; empty in other precisions."""
        return self._scaler.state_dict()

    def load_scaler_state(self, state: dict[str, Any]) -> None:
        """Restore what `scaler_state` returned."""
        if state:
            self._scaler.load_state_dict(state)


def resolve_hardware(config: HardwareConfig) -> Hardware:
    """Choose the device, precision and threads, and set up torch for them.

    The choice depends on the machine alone, never on a measurement, so that a resumed run
    makes the same one. With the same seed, machine and number of threads, torch then computes
    the same bits: on a CPU it always does; on an accelerator its deterministic kernels are
    selected, and torch warns about an operation that has none.

    Raises:
        ConfigError: This machine lacks the device, the precision or the compiler.
    """
    device = resolve_device(config.device, config.processes)
    precision = _resolve_precision(device, config.precision)
    if config.compile:
        _require_compiler(device)
    _validate_cuda_graph(device, config.cuda_graph)
    threads = config.threads or max(1, count_physical_cores() // config.processes)
    torch.set_num_threads(threads)
    if device.type == "cuda":
        _set_float32_products(tf32=precision == "tf32")
    kernels.keep_freed_blocks()
    if device.type != "cpu":
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # else cuBLAS may vary
        torch.use_deterministic_algorithms(True, warn_only=True)
        # Otherwise every new tensor would be filled with NaN, one more pass over memory.
        torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    return Hardware(device, precision, threads, config.compile, config.cuda_graph)


def _set_float32_products(*, tf32: bool) -> None:
    """Let float32 matrix multiplications and convolutions use TF32, or keep them exact.

    Torch's default differs between the two: it would run convolutions in TF32 even in fp32.
    """
    torch.set_float32_matmul_precision("high" if tf32 else "highest")
    torch.backends.cudnn.allow_tf32 = tf32


def _has_float64(device: torch.device) -> bool:
    """Return whether a device computes in float64, which Apple's and many Intel GPUs lack."""
    if device.type == "xpu":
        return bool(torch.xpu.get_device_properties().has_fp64)
    return device.type != "mps"


def _require_compiler(device: torch.device) -> None:
    """Raise ConfigError if torch.compile would not find what it compiles with."""
    if device.type in ("cuda", "xpu"):
        needed, install = "Triton and a C compiler", "Install triton and gcc"
        found = kernels.can_compile()
    else:
        needed, install = "a C++ compiler", "Install g++, set CXX"
        found = shutil.which(os.environ.get("CXX", "g++")) is not None
    if not found:
        raise ConfigError(
            "hardware.compile",
            f"must find {needed}",
            found=True,
            fix=f"{install}, or use hardware.compile=false.",
        )


def _validate_cuda_graph(device: torch.device, requested: CudaGraph) -> None:
    """Raise ConfigError if a CUDA graph is required on another device."""
    if requested is True and device.type != "cuda":
        raise ConfigError(
            "hardware.cuda_graph",
            f"must be auto or false on this {device.type}",
            found=True,
            fix="Use hardware.cuda_graph=auto.",
        )


def _resolve_precision(device: torch.device, requested: str) -> Precision:
    fast = _fast_precisions(device)
    if requested == "auto":
        return fast[0]
    # Every CPU can emulate bf16; a run that was moved to a slow one can be resumed there.
    possible = {"fp32", *fast, *(["bf16"] if device.type == "cpu" else [])}
    if requested not in possible:
        raise ConfigError(
            "hardware.precision",
            f"must be one of auto {' '.join(sorted(possible))} on this {device.type}",
            found=requested,
            fix="Use hardware.precision=auto.",
        )
    return cast(Precision, requested)


def _fast_precisions(device: torch.device) -> tuple[Precision, ...]:
    """Return the precisions that the device has hardware for, the preferred one first."""
    if device.type == "cuda":
        if torch.cuda.is_bf16_supported(including_emulation=False):
            return ("bf16", "fp16", "tf32", "fp32")  # bf16 and tf32 came with the same GPUs
        tensor_cores = torch.cuda.get_device_capability() >= (7, 0)
        return ("fp16", "fp32") if tensor_cores else ("fp32", "fp16")
    if device.type == "cpu":
        return ("bf16", "fp32") if _multiplies_in_bf16() else ("fp32",)
    # Not measured on Intel and Apple GPUs, hence the safe choice first. fp16 is left out there:
    # neither has been shown to scale gradients as CUDA does.
    if device.type == "xpu":
        return ("fp32", "bf16") if torch.xpu.is_bf16_supported() else ("fp32",)
    return ("fp32", "bf16") if torch.backends.mps.is_macos_or_newer(14, 0) else ("fp32",)


def _multiplies_in_bf16() -> bool:
    """Return whether this processor multiplies matrices in bf16 rather than emulating it."""
    if hasattr(torch.cpu, "get_capabilities"):
        flags = torch.cpu.get_capabilities()
        return any(flags.get(flag) for flag in _BF16_FLAGS)
    # Torch before 2.11 has no list of flags, and tells nothing about ARM.
    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())
