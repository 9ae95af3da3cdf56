"""How the loops are compiled: for which vectors, and with which options."""

from typing import Any

import numba
from llvmlite import binding

# What the environment sets is missing from numba's types.
config: Any = numba.config


def prefer_widest() -> None:
    """Let numba use 512-bit vectors wherever the processor has them; call before compiling.

    LLVM uses only half of them on many of Intel's processors, because the first that had them
    lowered their clock for it. The matrix multiplications between the loops use them anyway.
    Each column of a loop is computed by itself, so the width changes no result. What a user
    has set by NUMBA_CPU_FEATURES or NUMBA_CPU_NAME remains.
    """
    if config.CPU_FEATURES is not None or config.CPU_NAME is not None or not config.ENABLE_AVX:
        return
    try:
        features = binding.get_host_cpu_features()
    except RuntimeError:  # LLVM does not know this kind of processor
        return
    if features.get("avx512f"):
        config.CPU_FEATURES = f"{features.flatten()},-prefer-256-bit"


prefer_widest()

# `contract` allows a multiplication and an addition to be fused. The other fast-math flags stay
# off because NaN and infinity must keep their meaning: training stops at a NaN loss.
OPTIONS: dict[str, Any] = {"fastmath": {"contract"}, "error_model": "numpy", "cache": True}
INLINE = {**OPTIONS, "forceinline": True}
