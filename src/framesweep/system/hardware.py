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

Precision = Literal["fp32", "bf16", "fp16"]

_DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
_BF16_FLAGS = ("avx512_bf16", "amx_bf16", "bf16")
"""Flags of processors (x86, x86, ARM) that multiply matrices in bf16; others emulate it."""


class Hardware:
    """A device and a precision, and the parts of a training step that depend on them.

    Attributes:
        device: The device of the network and its batches.
        precision: The precision of matrix multiplications; weights and updates are float32.
        threads: Number of CPU threads.
        compile: Whether `place` compiles the network.
        sum_dtype: The widest floating-point type of the device, for sums over many frames.
        input_dtype: The type in which a batch is given to the network.
    """

    def __init__(
        self, device: torch.device, precision: Precision, threads: int, compile: bool
    ) -> None:
        self.device = device
        self.precision = precision
        self.threads = threads
        self.compile = compile
        self.sum_dtype = torch.float32 if device.type == "mps" else torch.float64
        # Features stay float32 in fp16: before normalization they may exceed its range.
        self.input_dtype = torch.bfloat16 if precision == "bf16" else torch.float32
        self._scaler = torch.amp.GradScaler(device.type, enabled=precision == "fp16")

    def place(self, model: nn.Module) -> nn.Module:
        """Move a network to the device and compile it if configured; parameter names stay."""
        model.to(self.device)
        if self.compile:
            model.compile()
        return model

    def autocast(self) -> torch.autocast:
        """Return a context in which matrix multiplications use the precision."""
        enabled = self.precision != "fp32"
        dtype = _DTYPES[self.precision] if enabled else None
        return torch.autocast(self.device.type, dtype=dtype, enabled=enabled)

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
    if config.compile:
        _require_compiler()
    device = _resolve_device(config.device)
    precision = _resolve_precision(device, config.precision)
    threads = config.threads or max(1, count_physical_cores() // config.processes)
    torch.set_num_threads(threads)
    if device.type == "cuda":
        _select_gpu(config.processes)
    kernels.keep_freed_blocks()
    if device.type != "cpu":
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # else cuBLAS may vary
        torch.use_deterministic_algorithms(True, warn_only=True)
        # Otherwise every new tensor would be filled with NaN, one more pass over memory.
        torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    return Hardware(device, precision, threads, config.compile)


def _select_gpu(processes: int) -> None:
    """Give each of several processes on this machine a GPU of its own, by its local rank."""
    if processes == 1 and "LOCAL_RANK" not in os.environ:
        return
    local_rank = int(os.environ.get("LOCAL_RANK", "0"))
    if max(local_rank + 1, processes) > (gpus := torch.cuda.device_count()):
        rule = f"must be at most the number of GPUs of this machine, {gpus}"
        raise ConfigError("hardware.processes", rule, found=processes)
    torch.cuda.set_device(local_rank)


def _require_compiler() -> None:
    """Raise ConfigError if torch.compile would find no C++ compiler."""
    if not shutil.which(os.environ.get("CXX", "g++")):
        raise ConfigError(
            "hardware.compile",
            "must find a C++ compiler",
            found=True,
            fix="Install g++, set CXX, or use hardware.compile=false.",
        )


def _resolve_device(requested: str) -> torch.device:
    available = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if requested == "auto":
        return torch.device(
            next((name for name, is_here in available.items() if is_here), "cpu")
        )
    if not available.get(requested, True):
        raise ConfigError(
            "hardware.device",
            "must be a device of this machine that this build of torch can use",
            found=requested,
            fix="Use hardware=auto or hardware=cpu.",
        )
    return torch.device(requested)


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
            return ("bf16", "fp16", "fp32")
        tensor_cores = torch.cuda.get_device_capability() >= (7, 0)
        return ("fp16", "fp32") if tensor_cores else ("fp32", "fp16")
    if device.type == "cpu":
        flags = torch.cpu.get_capabilities()
        return ("bf16", "fp32") if any(flags.get(f) for f in _BF16_FLAGS) else ("fp32",)
    # Not measured on Apple GPUs, hence the safe choice first.
    return ("fp32", "bf16") if torch.backends.mps.is_macos_or_newer(14, 0) else ("fp32",)
