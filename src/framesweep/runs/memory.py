"""The memory of a run: released at its end, and explained where it does not suffice."""

from collections.abc import Iterator
from contextlib import contextmanager

from framesweep.config import RunConfig
from framesweep.errors import InsufficientMemoryError
from framesweep.system.device_memory import clear_tracebacks, release_memory
from framesweep.system.out_of_memory import (
    find_exhausted_memory,
    is_out_of_memory,
    quote_allocation,
)


@contextmanager
def released_memory(config: RunConfig, *, in_sweep: bool) -> Iterator[None]:
    """Release the memory of a run at the end of the context, however it ends.

    Raises:
        InsufficientMemoryError: An allocation failed; the message says what to change.
    """
    try:
        yield
    except Exception as error:
        exhausted = is_out_of_memory(error)
        if in_sweep or exhausted:
            clear_tracebacks(error)
        if exhausted:
            raise explain_shortage(error, config, in_sweep=in_sweep) from error
        raise
    finally:
        release_memory(compiled=config.hardware.compile)


def explain_shortage(
    error: BaseException, config: RunConfig, *, in_sweep: bool
) -> InsufficientMemoryError:
    """Return the error that says which keys to change if an allocation has failed."""
    memory = find_exhausted_memory(error)
    changes = [
        f"reduce train.batch_size ({config.train.batch_size} now) or the network (model.*)"
    ]
    if memory == "GPU":
        changes.append("set hardware.max_store_gib to stream the features")
        if in_sweep:
            changes.append("let fewer trials share the GPU (hydra.sweeper.n_jobs)")
    else:
        changes.append("set data.max_utterances")
        if in_sweep:
            changes.append("run fewer trials in parallel (hydra.sweeper.n_jobs)")
    if config.data.dtype != "float16":
        changes.append("use data.dtype=float16")
    fix = f"{', '.join(changes[:-1])}, or {changes[-1]}."
    return InsufficientMemoryError(
        f"memory of the {memory}",
        "must hold the features, the network and a batch",
        found=quote_allocation(error),
        fix=fix[0].upper() + fix[1:],
    )
