"""Recognizes errors of an allocation that failed, without importing torch."""

import errno
import re

TEXTS = (
    "out of memory",  # CUDA, XPU and MPS
    "allocate memory",  # "DefaultCPUAllocator: can't allocate memory", and the system's error
    "not enough memory",  # the same on another system
    "alloc_failed",  # cuBLAS and cuDNN
)
DEVICES = {"cuda": "GPU", "cublas": "GPU", "cudnn": "GPU", "xpu": "GPU", "mps": "GPU"}
CHECK = re.compile(r"^\[enforce fail at [^]]*\][^.]*\. ")
"""What precedes the message of torch's allocator for CPUs."""
LONGEST_QUOTE = 120


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error says that the memory of the machine or of a GPU is exhausted."""
    names = {base.__name__ for base in type(error).__mro__}
    if names & {"OutOfMemoryError", "MemoryError"}:
        return True
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    return isinstance(error, RuntimeError) and any(t in str(error).lower() for t in TEXTS)


def find_exhausted_memory(error: BaseException) -> str:
    """Return which memory an error is about: "GPU", or "machine" for that of its CPUs."""
    text = str(error).lower()
    return next((device for name, device in DEVICES.items() if name in text), "machine")


def quote_allocation(error: BaseException) -> str:
    """Return the beginning of the error's message, which has the size of the allocation."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    first, _, rest = CHECK.sub("", lines[0]).partition(". ")
    second = rest.partition(". ")[0].rstrip(".")
    quote = f"{first}. {second}" if second.startswith("Tried to allocate") else first
    return quote.rstrip(".")[:LONGEST_QUOTE]


def describe_out_of_memory(error: BaseException) -> str | None:
    """Return a line about a failed allocation, None for any other error."""
    if not is_out_of_memory(error):
        return None
    return f"memory of the {find_exhausted_memory(error)}: {quote_allocation(error)}"
