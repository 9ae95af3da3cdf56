"""Device, precision, threads, compilation, seeds: where and how tensors are computed."""

import os
import shutil
from pathlib import Path
from typing import Any, Literal, cast

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from framesweep import kernels
from framesweep.config import HardwareConfig
from framesweep.errors import ConfigError

Precision = Literal["fp32", "bf16", "fp16"]

_DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
_BF16_FLAGS = ("avx512_bf16", "amx_bf16", "bf16")
"""Processor flags (x86, x86, ARM) of products in bf16; without them it is only emulated."""


class Hardware:
    """A device and a precision, and how to take a training step in them.

    Attributes:
        device: where tensors live.
        precision: of matrix products; weights and their updates stay in float32.
        threads: threads on the processor.
        compile: whether `place` compiles the network.
        sum_dtype: the widest floating-point type the device can sum in.
        input_dtype: in which a network's input is best given.
    """

    def __init__(
        self, device: torch.device, precision: Precision, threads: int, compile: bool
    ) -> None:
        self.device = device
        self.precision = precision
        self.threads = threads
        self.compile = compile
        self.sum_dtype = torch.float32 if device.type == "mps" else torch.float64
        # Not float16, in which raw features could overflow.
        self.input_dtype = torch.bfloat16 if precision == "bf16" else torch.float32
        self._scaler = torch.amp.GradScaler(device.type, enabled=precision == "fp16")

    def place(self, model: nn.Module) -> nn.Module:
        """Move a network to the device and compile it where asked; its names stay."""
        model.to(self.device)
        if self.compile:
            model.compile()
        return model

    def autocast(self) -> torch.autocast:
        """Context in which matrix products are computed in the precision."""
        enabled = self.precision != "fp32"
        dtype = _DTYPES[self.precision] if enabled else None
        return torch.autocast(self.device.type, dtype=dtype, enabled=enabled)

    def backward(self, loss: Tensor) -> None:
        """Compute gradients of a scalar loss, in fp16 scaled up against underflow."""
        torch.autograd.backward(self._scaler.scale(loss))

    def unscale(self, optimizer: Optimizer) -> None:
        """Bring gradients back to scale, for whoever looks at them before `step`."""
        self._scaler.unscale_(optimizer)

    def step(self, optimizer: Optimizer) -> None:
        """Let the optimizer step; in fp16 not where a gradient has overflowed."""
        self._scaler.step(optimizer)
        self._scaler.update()

    def scaler_state(self) -> dict[str, Any]:
        """State of the fp16 gradient scale; empty in the other precisions."""
        return self._scaler.state_dict()

    def load_scaler_state(self, state: dict[str, Any]) -> None:
        """Go on from a state that `scaler_state` gave."""
        if state:
            self._scaler.load_state_dict(state)


def resolve(config: HardwareConfig) -> Hardware:
    """Choose device, precision and threads, and set torch up for them.

    The choice depends on the machine alone, never on a measurement, so a resumed run makes it
    again. With the same seed, machine and threads torch then computes the same bits: on a CPU
    it does by itself; on an accelerator its deterministic kernels are chosen, with a warning
    where there is none.

    Raises:
        ConfigError: a device or a precision that this machine lacks, or a key out of range.
    """
    if config.compile:
        _require_compiler()
    device = _device(config.device)
    precision = _precision(device, config.precision)
    threads = config.threads or max(1, usable_cores() // config.processes)
    torch.set_num_threads(threads)
    if device.type == "cuda":
        _take_card(config.processes)
    kernels.keep_freed_blocks()
    if device.type != "cpu":
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # or cuBLAS may vary
        torch.use_deterministic_algorithms(True, warn_only=True)
        # Filling every new tensor with NaN would cost a pass over memory each.
        torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    return Hardware(device, precision, threads, config.compile)


def _take_card(processes: int) -> None:
    """Lets each of several processes on this machine have a graphics card of its own."""
    if processes == 1 and "LOCAL_RANK" not in os.environ:
        return
    place = int(os.environ.get("LOCAL_RANK", "0"))
    if max(place + 1, processes) > (cards := torch.cuda.device_count()):
        rule = f"must be at most this machine's {cards} graphics cards"
        raise ConfigError("hardware.processes", rule, found=processes)
    torch.cuda.set_device(place)


def _require_compiler() -> None:
    if not shutil.which(os.environ.get("CXX", "g++")):
        raise ConfigError(
            "hardware.compile",
            "must find a C++ compiler",
            found=True,
            fix="Install g++, set CXX, or use hardware.compile=false.",
        )


def usable_cores() -> int:
    """Cores this process may use: its affinity, but a core with two threads once, and no more
    than its control group's quota; or OMP_NUM_THREADS where that is set."""
    if (asked := os.environ.get("OMP_NUM_THREADS", "")).isdigit() and int(asked) > 0:
        return int(asked)
    if not hasattr(os, "sched_getaffinity"):
        return os.cpu_count() or 1
    cores = {_siblings(cpu) for cpu in os.sched_getaffinity(0)}
    return max(1, min(len(cores), _quota()))


def _siblings(cpu: int) -> str:
    topology = Path(f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list")
    try:
        return topology.read_text()
    except OSError:
        return str(cpu)


def _quota() -> int:
    """Whole cores the control group grants; a great many where it sets no limit."""
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        return int(quota) // int(period)
    except (OSError, ValueError):
        return 1 << 16


def seed_everything(seed: int) -> None:
    """Seed torch's generators on all devices: weights, dropout and masks follow from it."""
    torch.manual_seed(seed)


def get_rng_state() -> dict[str, Tensor]:
    """States of torch's generators by device type."""
    state = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        state["cuda"] = torch.cuda.get_rng_state()
    if torch.backends.mps.is_available():
        state["mps"] = torch.mps.get_rng_state()
    return state


def set_rng_state(state: dict[str, Tensor]) -> None:
    """Go on from what `get_rng_state` gave; devices that are not here are passed over."""
    torch.set_rng_state(state["cpu"])
    if "cuda" in state and torch.cuda.is_available():
        torch.cuda.set_rng_state(state["cuda"])
    if "mps" in state and torch.backends.mps.is_available():
        torch.mps.set_rng_state(state["mps"])


def _device(asked: str) -> torch.device:
    present = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if asked == "auto":
        return torch.device(next((name for name, here in present.items() if here), "cpu"))
    if not present.get(asked, True):
        raise ConfigError(
            "hardware.device",
            "must be a device of this machine that this build of torch can use",
            found=asked,
            fix="Use hardware=auto or hardware=cpu.",
        )
    return torch.device(asked)


def _precision(device: torch.device, asked: str) -> Precision:
    fast = _fast_precisions(device)
    if asked == "auto":
        return fast[0]
    # A processor can do bf16 without being fast in it, as a run moved there may need.
    able = {"fp32", *fast, *(["bf16"] if device.type == "cpu" else [])}
    if asked not in able:
        raise ConfigError(
            "hardware.precision",
            f"must be one of auto {' '.join(sorted(able))} on this {device.type}",
            found=asked,
            fix="Use hardware.precision=auto.",
        )
    return cast(Precision, asked)


def _fast_precisions(device: torch.device) -> tuple[Precision, ...]:
    """Precisions the device has hardware for, the one to prefer first."""
    if device.type == "cuda":
        if torch.cuda.is_bf16_supported(including_emulation=False):
            return ("bf16", "fp16", "fp32")
        tensor_cores = torch.cuda.get_device_capability() >= (7, 0)
        return ("fp16", "fp32") if tensor_cores else ("fp32", "fp16")
    if device.type == "cpu":
        flags = torch.cpu.get_capabilities()
        return ("bf16", "fp32") if any(flags.get(f) for f in _BF16_FLAGS) else ("fp32",)
    # Not measured on Apple's graphics cores: the safe choice first.
    return ("fp32", "bf16") if torch.backends.mps.is_macos_or_newer(14, 0) else ("fp32",)
