"""Computes arrays for many items on all cores: in order, in bounded memory, and resumable.

Items are processed in groups. A worker computes one group and writes the result to one file, a
part, which appears complete or not at all (`atomic_file`). The consumer reads the parts back in
order. This gives three properties:

* order and determinism: parts are read by their number, whichever worker finishes first;
* bounded memory: only AHEAD parts per worker are submitted beyond the one being read, and
  results travel through files rather than through the pool's pipes;
* resumption: a part that exists is not computed again, so that preparation continues where it
  was interrupted.
"""

import itertools
import multiprocessing
import os
import signal
import tempfile
import threading
import zipfile
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from framesweep.data.corpus import Array
from framesweep.errors import DataError
from framesweep.system.atomic_files import atomic_file

GROUP = 32
"""Items per part: some five minutes of speech and a few MB. An interruption then costs little,
and the overhead per file does not matter."""
AHEAD = 3
"""Parts per worker that are being computed or waiting to be read."""
FEW = 64
"""Up to this many items are computed in this process: starting workers would take longer."""
ATTEMPTS = 3
"""How often to write or read a part that another process removes: one that prepared the same
corpus and has finished deletes the folder of the parts."""

Item = TypeVar("Item")
Frames = tuple[Array, Array | None]
"""(T, D) float32 features, and (T,) int16 labels or None."""


def compute_in_parallel(
    function: Callable[[Item], Frames],
    items: Sequence[Item],
    *,
    folder: Path | None,
    name: str,
    workers: int | None,
) -> Generator[Frames, None, None]:
    """Yield `function(item)` for each item, in order.

    Args:
        function: called in worker processes; it and the items must be picklable.
        folder: where to keep the parts; None for a temporary folder.
        name: prefix of the parts' names, to distinguish them from others in the folder.
        workers: number of processes; None for all cores, 1 for this process.

    Raises:
        DataError: `function` raised it, or a worker process died.
    """
    with tempfile.TemporaryDirectory(prefix="framesweep-") as temporary:
        parts_folder = folder or Path(temporary)
        groups = [items[i : i + GROUP] for i in range(0, len(items), GROUP)]
        paths = [parts_folder / f"{name}-{i:06d}.npz" for i in range(len(groups))]
        if workers == 1 or len(items) <= FEW:
            for group, path in zip(groups, paths, strict=True):
                yield from _read_or_write_part(function, group, path)
            return
        workers = workers or _count_cores()
        with _start_pool(workers) as pool:
            try:
                for group, path in _write_ahead(pool, function, groups, paths, AHEAD * workers):
                    yield from _read_or_write_part(function, group, path)
            except BrokenProcessPool:
                # Nearly always the system's out-of-memory killer.
                rule = "a worker process ended before its work was done"
                fix = "data.workers=1 needs the least memory."
                raise DataError(name, rule, fix=fix) from None
            finally:
                # Also when the consumer stops early and closes this generator.
                pool.shutdown(cancel_futures=True)


def _write_ahead(
    pool: ProcessPoolExecutor,
    function: Callable[[Item], Frames],
    groups: Sequence[Sequence[Item]],
    paths: Sequence[Path],
    depth: int,
) -> Iterator[tuple[Sequence[Item], Path]]:
    """Yield each group and the path of its part once that is written.

    At any time `depth` groups are submitted. `pool.map` would submit all of them at once, and
    a slow consumer would find the parts of a whole corpus waiting.
    """
    tasks = zip(groups, paths, strict=True)
    waiting: deque[tuple[Sequence[Item], Path, Future[None]]] = deque()

    def submit(count: int) -> None:
        for group, path in itertools.islice(tasks, count):
            waiting.append((group, path, pool.submit(_write_part, function, group, path)))

    submit(depth)
    while waiting:
        group, path, written = waiting.popleft()
        written.result()  # raises what the worker raised
        submit(1)
        yield group, path


def _count_cores() -> int:
    """Return the number of cores that CPU affinity and control groups leave this process."""
    from joblib import cpu_count  # slow to import, and only needed here

    return int(cpu_count())


def _start_pool(workers: int) -> ProcessPoolExecutor:
    # Spawn a fresh interpreter. A fork would copy the locks that threads of torch and MLflow
    # hold at that moment, and the child would wait for them forever.
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(workers, mp_context=context, initializer=_follow_parent)


def _follow_parent() -> None:
    """Leave Ctrl-C to the parent process, and exit when it does, even if it was killed.

    Ctrl-C reaches the whole process group. The parent cancels what is pending; a worker that
    reacted too would print a traceback of its own.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_exit_with_parent, daemon=True).start()


def _exit_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)  # sys.exit would only end this thread


def _write_part(function: Callable[[Item], Frames], group: Sequence[Item], path: Path) -> None:
    if path.exists():
        return
    features, labels = zip(*map(function, group), strict=True)
    lengths = np.array([len(frames) for frames in features])
    arrays: dict[str, Any] = {"features": np.concatenate(features), "lengths": lengths}
    if labels[0] is not None:
        arrays["labels"] = np.concatenate(labels)
    for attempt in range(1, ATTEMPTS + 1):
        try:
            # An open file: given a name, np.savez would append .npz to the temporary one.
            with atomic_file(path) as temporary, temporary.open("wb") as handle:
                np.savez(handle, **arrays)
            return
        except FileNotFoundError:
            if attempt == ATTEMPTS:
                raise


def _read_or_write_part(
    function: Callable[[Item], Frames], group: Sequence[Item], path: Path
) -> Iterator[Frames]:
    for attempt in range(1, ATTEMPTS + 1):
        try:
            part = _read_part(path)
            break
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            # Not written yet, damaged, or removed.
            if attempt == ATTEMPTS:
                raise
            path.unlink(missing_ok=True)
            _write_part(function, group, path)
    yield from part


def _read_part(path: Path) -> list[Frames]:
    with path.open("rb") as handle, np.load(handle, allow_pickle=False) as arrays:
        ends = np.cumsum(arrays["lengths"])[:-1]
        features = np.split(arrays["features"], ends)
        if "labels" not in arrays:
            return [(frames, None) for frames in features]
        return list(zip(features, np.split(arrays["labels"], ends), strict=True))
