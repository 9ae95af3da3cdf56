"""Long work over many files: on all cores, in order, in bounded memory, resumable.

Items are taken in groups. A worker writes what a group gave to one file, a part, that appears
whole; the parts are read back in order, only a few ahead of whoever consumes them. A part that
is there already is not made again, so that work which was cut short goes on.
"""

import itertools
import multiprocessing
import os
import signal
import tempfile
import threading
import zipfile
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from framesweep.data.corpus import Array
from framesweep.errors import DataError
from framesweep.system.atomic_files import atomic_file

GROUP = 32
"""Items a part: some five minutes of speech, a few MB."""
AHEAD = 3
"""Parts in the making or waiting, per worker."""
FEW = 64
"""Up to so many items are not worth starting workers for."""

Item = TypeVar("Item")
Labelled = tuple[Array, Array | None]
"""(T, D) float32 features and (T,) int16 labels, or None."""


def computed(
    function: Callable[[Item], Labelled],
    items: Sequence[Item],
    *,
    folder: Path | None,
    name: str,
    workers: int | None,
) -> Iterator[Labelled]:
    """What `function` gives for each item, in order.

    Args:
        function: picklable, as are the items.
        folder: where parts are kept; None for a temporary folder.
        name: tells these parts from others in the folder.
        workers: processes; None for all cores, 1 for this process.

    Raises:
        DataError: `function` does, or a worker process died.
    """
    workers = workers or available_cores()
    with tempfile.TemporaryDirectory(prefix="framesweep-") as temporary:
        place = folder or Path(temporary)
        groups = [items[i : i + GROUP] for i in range(0, len(items), GROUP)]
        paths = [place / f"{name}-{i:06d}.npz" for i in range(len(groups))]
        if workers == 1 or len(items) <= FEW:
            for group, path in zip(groups, paths, strict=True):
                yield from _read_or_make(function, group, path)
            return
        with _pool(workers) as pool:
            try:
                for group, path in _made_ahead(pool, function, groups, paths, AHEAD * workers):
                    yield from _read_or_make(function, group, path)
            except BrokenProcessPool:
                rule = "a worker process ended before its work did"
                raise DataError(name, rule, fix="data.workers=1 needs least memory.") from None
            finally:
                pool.shutdown(cancel_futures=True)


def _made_ahead(
    pool: ProcessPoolExecutor,
    function: Callable[[Item], Labelled],
    groups: Sequence[Sequence[Item]],
    paths: Sequence[Path],
    depth: int,
) -> Iterator[tuple[Sequence[Item], Path]]:
    """Each group and its part once that is made, with `depth` of them under way."""
    tasks = zip(groups, paths, strict=True)
    waiting: deque[tuple[Sequence[Item], Path, Future[None]]] = deque()

    def submit(number: int) -> None:
        for group, path in itertools.islice(tasks, number):
            waiting.append((group, path, pool.submit(_make, function, group, path)))

    submit(depth)
    while waiting:
        group, path, made = waiting.popleft()
        made.result()
        submit(1)
        yield group, path


def available_cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _pool(workers: int) -> ProcessPoolExecutor:
    # A fresh interpreter: a fork would copy the threads' locks of torch and MLflow.
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(workers, mp_context=context, initializer=_follow_parent)


def _follow_parent() -> None:
    """Leaves Ctrl-C to the parent process, and ends when it does, however that was."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _make(function: Callable[[Item], Labelled], group: Sequence[Item], path: Path) -> None:
    if path.exists():
        return
    features, labels = zip(*map(function, group), strict=True)
    lengths = np.array([len(frames) for frames in features])
    arrays: dict[str, Any] = {"features": np.concatenate(features), "lengths": lengths}
    if labels[0] is not None:
        arrays["labels"] = np.concatenate(labels)
    with atomic_file(path) as temporary, temporary.open("wb") as handle:
        np.savez(handle, **arrays)


def _read_or_make(
    function: Callable[[Item], Labelled], group: Sequence[Item], path: Path
) -> Iterator[Labelled]:
    try:
        parts = _read(path)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        # Not there yet, removed by another process that has finished, or damaged.
        path.unlink(missing_ok=True)
        _make(function, group, path)
        parts = _read(path)
    yield from parts


def _read(path: Path) -> list[Labelled]:
    with path.open("rb") as handle, np.load(handle, allow_pickle=False) as arrays:
        ends = np.cumsum(arrays["lengths"])[:-1]
        features = np.split(arrays["features"], ends)
        if "labels" not in arrays:
            return [(frames, None) for frames in features]
        return list(zip(features, np.split(arrays["labels"], ends), strict=True))
