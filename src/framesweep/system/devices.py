"""The device that a run uses, and why it may not be the one that is expected."""

import functools
import logging
import os

import torch

from framesweep.distributed.launch import is_distributed
from framesweep.errors import ConfigError
from framesweep.system.gpus import are_gpus_hidden, find_gpu_problem

log = logging.getLogger(__name__)

WITH_COLLECTIVES = ("cpu", "cuda")
"""Devices on which several processes can train together."""


def resolve_device(requested: str, processes: int) -> torch.device:
    """Return the device of this process, and select it in torch if there are several GPUs.

    If a GPU is present but torch cannot use it, "auto" warns before it takes another device.

    Args:
        requested: The type of the device, or "auto" for the first usable of cuda, xpu, mps and
            cpu.
        processes: Number of processes of the run on this machine.

    Raises:
        ConfigError: The device is absent or unusable, or there are too few for the processes.
    """
    name = _choose(processes) if requested == "auto" else requested
    if requested == "cuda":
        _require_cuda(processes)
    elif requested != "auto" and not _is_available(requested):
        raise _absent(requested)
    if name not in WITH_COLLECTIVES and (processes > 1 or is_distributed()):
        raise ConfigError(
            "hardware.processes",
            f"must be 1 on this {name}, on which processes cannot train together",
            found=processes,
            fix="Use hardware=cpu for several processes.",
        )
    return torch.device(name)


def _is_available(name: str) -> bool:
    match name:
        case "cuda":
            return torch.cuda.is_available()
        case "xpu":
            return torch.xpu.is_available()
        case "mps":
            return torch.backends.mps.is_available()
    return True


def _choose(processes: int) -> str:
    """Return the first usable device, and warn of a GPU that torch cannot use."""
    if torch.cuda.is_available():
        _select_gpu(processes)
    if problem := find_gpu_problem():
        _warn_once(
            f"the {problem.gpu} of this machine is not used: {problem.reason}. {problem.fix} "
            "hardware=cpu hides this warning."
        )
    elif torch.cuda.is_available():
        return "cuda"
    return next(name for name in ("xpu", "mps", "cpu") if _is_available(name))


def _require_cuda(processes: int) -> None:
    """Select the GPU, or raise ConfigError if there is none that torch can use."""
    if torch.cuda.is_available():
        _select_gpu(processes)
    if problem := find_gpu_problem():
        raise ConfigError(
            "hardware.device",
            f"must be a device that torch can use, but for the {problem.gpu} of this machine, "
            f"{problem.reason}",
            found="cuda",
            fix=problem.fix,
        )
    if not torch.cuda.is_available():
        raise _absent("cuda")


def _absent(requested: str) -> ConfigError:
    fix = "Use hardware=auto or hardware=cpu."
    if requested == "cuda" and are_gpus_hidden():
        fix = f"CUDA_VISIBLE_DEVICES hides all GPUs: unset it. {fix}"
    return ConfigError(
        "hardware.device",
        "must be a device of this machine that this build of torch can use",
        found=requested,
        fix=fix,
    )


def _select_gpu(processes: int) -> None:
    """Give each of several processes on this machine a GPU of its own, by its local rank.

    A launcher may also show each process only its own GPU, which then is number 0 for all of
    them. A run that starts its processes itself (`processes` > 1) shows all GPUs to all.
    """
    if processes == 1 and "LOCAL_RANK" not in os.environ:
        return
    local_rank = int(os.environ.get("LOCAL_RANK", "0"))
    gpus = torch.cuda.device_count()
    if processes == 1 and gpus == 1:
        local_rank = 0
    if max(local_rank + 1, processes) > gpus:
        raise ConfigError(
            "hardware.processes",
            f"must be at most the number of GPUs of this machine, {gpus}",
            found=max(local_rank + 1, processes),
        )
    torch.cuda.set_device(local_rank)


@functools.cache
def _warn_once(line: str) -> None:
    """Log a warning once per run: not again by its further processes, nor by later trials."""
    if os.environ.get("RANK", "0") == "0":
        log.warning("warning: %s", line)
