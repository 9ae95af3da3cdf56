"""Calling a function in several processes."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def map_in_processes(
    function: Callable[[Item], Result], items: Sequence[Item], num_processes: int
) -> Iterator[Result]:
    """Yield the result of each item, in their order; with one process, in this one.

    Args:
        function: a function that can be pickled.
        items: its arguments.
        num_processes: the number of processes.
    """
    if num_processes == 1:
        yield from map(function, items)
        return
    # Not forked, because threads of torch and of numerical libraries do not survive a fork.
    with ProcessPoolExecutor(num_processes, get_context("spawn")) as executor:
        yield from executor.map(function, items)
