"""Gives memory back at the end of a run, for the next one in this process and for others."""

import gc
import traceback

import torch


def release_memory(*, compiled: bool) -> None:
    """Free the memory that nothing refers to any more, also that which torch keeps in reserve.

    Torch keeps what it has allocated on a GPU for later use, and other processes on the same
    GPU cannot have it. It also keeps the code that it has compiled, up to a number of networks
    per process after which it refuses to compile another.

    Args:
        compiled: Whether torch has compiled something that is not used again.
    """
    if compiled:
        torch.compiler.reset()
    gc.collect()  # networks and optimizers refer to each other in cycles
    for module in (torch.cuda, torch.xpu):
        if module.is_initialized():
            module.empty_cache()
    if torch.backends.mps.is_available():
        torch.mps.empty_cache()


def clear_tracebacks(error: BaseException) -> None:
    """Delete the local variables of the functions that an error has left.

    An error keeps them, and with them all tensors of a run, as long as it exists itself: in a
    sweep until another trial has begun. A traceback can still be printed.
    """
    following: list[BaseException | None] = [error]
    seen: set[int] = set()
    while following:
        each = following.pop()
        if each is None or id(each) in seen:
            continue
        seen.add(id(each))
        traceback.clear_frames(each.__traceback__)
        following += [each.__cause__, each.__context__]
