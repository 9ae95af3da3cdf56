"""Errors of failed allocations, with the messages of torch, numpy and the system."""

import errno

import pytest
import torch

from framesweep.system.out_of_memory import (
    describe_out_of_memory,
    find_exhausted_memory,
    is_out_of_memory,
    quote_allocation,
)

CUDA = (
    "CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 14.58 GiB "
    "of which 1.02 GiB is free."
)
CPU = (
    "[enforce fail at alloc_cpu.cpp:121] err == 0. DefaultCPUAllocator: can't allocate memory: "
    "you tried to allocate 4000 bytes. Error code 12 (Cannot allocate memory)"
)


@pytest.mark.parametrize(
    ("error", "memory"),
    [
        (torch.OutOfMemoryError(CUDA), "GPU"),
        (RuntimeError(CPU), "machine"),
        (MemoryError(), "machine"),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), "machine"),
        (
            RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate"),
            "GPU",
        ),
        (RuntimeError("MPS backend out of memory (MPS allocated: 8 GB)"), "GPU"),
        (torch.OutOfMemoryError("XPU out of memory. Tried to allocate 1 GiB."), "GPU"),
    ],
)
def test_a_failed_allocation_is_recognized(error: Exception, memory: str) -> None:
    assert is_out_of_memory(error)
    assert find_exhausted_memory(error) == memory
    assert str(describe_out_of_memory(error)).startswith(f"memory of the {memory}: ")


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("CUDA error: device-side assert triggered"),
        OSError(errno.ENOSPC, "No space left on device"),
        ValueError("out of memory"),
        KeyError("alloc"),
    ],
)
def test_any_other_error_is_not(error: Exception) -> None:
    assert not is_out_of_memory(error)
    assert describe_out_of_memory(error) is None


def test_the_quote_has_the_size_and_is_a_line() -> None:
    assert quote_allocation(torch.OutOfMemoryError(CUDA)) == (
        "CUDA out of memory. Tried to allocate 2.00 GiB"
    )
    assert quote_allocation(RuntimeError(CPU)) == (
        "DefaultCPUAllocator: can't allocate memory: you tried to allocate 4000 bytes"
    )
    assert quote_allocation(MemoryError()) == "MemoryError"
    assert quote_allocation(MemoryError("Unable to allocate 8 GiB\nmore")) == (
        "Unable to allocate 8 GiB"
    )


def test_torch_raises_what_is_recognized() -> None:
    with pytest.raises(RuntimeError) as raised:
        torch.empty(1 << 58)
    assert is_out_of_memory(raised.value)
    assert find_exhausted_memory(raised.value) == "machine"
