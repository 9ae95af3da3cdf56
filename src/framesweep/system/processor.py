"""The name of this machine's processor, and where results that depend on it are cached."""

import os
import platform
import sys
from functools import cache
from pathlib import Path

import torch

CPU_INFO = Path("/proc/cpuinfo")
"""Linux's description of the processors."""
_EXTENSIONS = ("amx_bf16", "avx512_bf16", "avx512_f", "avx2", "sve", "bf16")
"""Instructions that matter for the speed of matrix multiplications, the fastest first."""


@cache
def name_processor() -> str:
    """Return the processor's name with the widest instructions that torch finds on it.

    Virtual machines often hide the model, and the instructions tell what its name does not.
    """
    if hasattr(torch.cpu, "get_capabilities"):
        flags = torch.cpu.get_capabilities()
        extensions = [flag for flag in _EXTENSIONS if flags.get(flag)]
    else:  # torch before 2.11
        extensions = [torch.backends.cpu.get_cpu_capability()]
    name = _read_model_name() or platform.processor() or platform.machine()
    return f"{name} ({', '.join(extensions)})" if extensions else name


def _read_model_name() -> str:
    """Return the first model name in /proc/cpuinfo, "" where there is none."""
    try:
        lines = CPU_INFO.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    fields = (line.partition(":") for line in lines)
    return next((value.strip() for key, _, value in fields if key.strip() == "model name"), "")


def find_user_cache() -> Path:
    """Return the folder of what is cached for this user on this machine."""
    if sys.platform == "win32":
        folder = os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local"
    elif sys.platform == "darwin":
        folder = Path.home() / "Library" / "Caches"
    else:
        folder = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(folder) / "framesweep"
