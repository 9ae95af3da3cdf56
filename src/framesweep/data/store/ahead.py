"""Work on utterances in other threads, while this one reads or writes them.

NumPy and hashlib release Python's lock while they compute, and so does writing to a file.
"""

import hashlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Self

from framesweep.data.corpus import Array
from framesweep.system.cores import count_physical_cores

GROUP_FRAMES = 16_384
"""Frames that are handed to another thread together: some MB, for which handing them over
takes a hundredth of the time that computing takes."""
MAX_THREADS = 4
"""So many threads compute faster than one writes."""


def map_ahead(
    function: Callable[[Array], Array], utterances: Iterable[Array]
) -> Iterator[Array]:
    """Yield `function(features)` for each utterance in order, computed by other threads.

    Memory is bounded: beyond the group in use, each thread has one of about GROUP_FRAMES
    frames, and one more is waiting.

    Raises:
        Exception: what `function` or `utterances` raised.
    """
    waiting: deque[Future[list[Array]]] = deque()
    num_threads = min(count_physical_cores(), MAX_THREADS)
    with ThreadPoolExecutor(num_threads, thread_name_prefix="framesweep-ahead") as pool:
        for group in _group(utterances):
            waiting.append(pool.submit(_map_group, function, group))
            if len(waiting) > num_threads:
                yield from waiting.popleft().result()
        while waiting:
            yield from waiting.popleft().result()


def _map_group(function: Callable[[Array], Array], group: list[Array]) -> list[Array]:
    return [function(features) for features in group]


def _group(utterances: Iterable[Array]) -> Iterator[list[Array]]:
    """Yield groups of at least GROUP_FRAMES frames; the last may be smaller."""
    group: list[Array] = []
    num_frames = 0
    for features in utterances:
        group.append(features)
        num_frames += len(features)
        if num_frames >= GROUP_FRAMES:
            yield group
            group, num_frames = [], 0
    if group:
        yield group


class ContentDigest:
    """The hash of all features and labels of a corpus, which identifies it in MLflow.

    BLAKE2b is sequential, and takes as long as everything else in preparing a corpus together.
    A second thread therefore computes it. Use it as a context manager, which ends the thread.
    """

    def __init__(self) -> None:
        self._hash = hashlib.blake2b(digest_size=16)
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="framesweep-digest")
        self._group: list[Array] = []
        self._num_frames = 0
        self._pending: Future[None] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._pool.shutdown(cancel_futures=True)

    def update(self, array: Array) -> None:
        """Append a C-contiguous array, which must not change before `hexdigest` returns."""
        self._group.append(array)
        self._num_frames += len(array)
        if self._num_frames >= GROUP_FRAMES:
            self._submit()

    def hexdigest(self) -> str:
        """Return the hash of everything appended so far."""
        self._submit()
        self._wait()
        return self._hash.hexdigest()

    def _submit(self) -> None:
        self._wait()  # at most one group is waiting, so that memory is bounded
        self._pending = self._pool.submit(self._hash_group, self._group)
        self._group, self._num_frames = [], 0

    def _wait(self) -> None:
        if self._pending is not None:
            self._pending.result()

    def _hash_group(self, group: list[Array]) -> None:
        for array in group:
            self._hash.update(array.data)
