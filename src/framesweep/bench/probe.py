"""Measures one short run from the very start of its process.

    python -m framesweep.bench.probe STARTED STEPS OVERRIDE...

STARTED is the value of the monotonic clock when the process was started, or `cpu` to measure
CPU time instead of wall time. The result is printed as one line of JSON.
"""

import json
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

PAGE_BYTES = 4096


def main() -> None:
    """Train the given number of steps, and print seconds and bytes.

    Everything that a run imports at some time is imported first, so that the time of imports is
    separate from that of the work.
    """
    clock = _build_clock(sys.argv[1])
    import torch._dynamo  # torch.optim imports it when it is first used

    import framesweep.runs.run  # noqa: F401
    from framesweep import kernels
    from framesweep.config.composition import compose, register
    from framesweep.runs.experiment import build_experiment

    kernels.available(torch.empty(2, 2))  # imports numba
    seconds = {"imports": clock()}
    imported = read_memory()
    register()
    experiment = build_experiment(compose(sys.argv[3:]))
    seconds["build"] = clock()
    seconds |= _train(experiment, int(sys.argv[2]), clock)
    split = experiment.store.splits["train"]
    # A few steps read a few pages of the memory-mapped features; an epoch reads all of them.
    _touch_pages(split.rows)
    _touch_pages(split.labels)
    features = split.num_frames * split.rows.shape[1] * 4
    memory = {"imports": imported.get("peak", 0), **read_memory()}
    print(json.dumps({"seconds": seconds, "features": features, "memory": memory}))


def _build_clock(started: str) -> Callable[[], float]:
    """Return a clock of the seconds since the process was started, or of its CPU time."""
    if started == "cpu":
        return time.process_time
    return lambda: time.monotonic() - float(started)


def _touch_pages(array: Any) -> None:
    """Read one value of each page of an array."""
    flat = array.reshape(-1)
    int(np.count_nonzero(flat[:: PAGE_BYTES // flat.itemsize]))


def read_memory() -> dict[str, int]:
    """Return the bytes of memory that this process uses.

    They are `peak`, the most that it has used; `own`, its own memory; and `files`, the pages of
    memory-mapped files. The system reclaims the latter when others need memory. Return an empty
    dict on systems without /proc.
    """
    try:
        lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    except OSError:
        return {}
    names = {"VmHWM": "peak", "RssAnon": "own", "RssFile": "files"}
    return {
        names[key]: int(value.split()[0]) * 1024
        for key, _, value in (line.partition(":") for line in lines)
        if key in names
    }


def _train(experiment: Any, num_steps: int, clock: Callable[[], float]) -> dict[str, float]:
    """Train, and return the times at which the first and the last step were done."""
    from framesweep.errors import Interrupted
    from framesweep.training.callbacks import NoOpCallback

    times: list[float] = []

    class StepTimes(NoOpCallback):
        def on_step(self, epoch: int, step: int, num_steps: int) -> None:
            times.append(clock())

        def stop_signal(self) -> int:
            # The number of SIGINT, with which `fit` raises Interrupted.
            return 2 if len(times) >= num_steps else 0

    with tempfile.TemporaryDirectory() as folder:
        checkpoints = experiment.checkpoints(Path(folder))
        with suppress(Interrupted):
            experiment.fit(checkpoints, StepTimes())
    return {"first step": times[0], "last step": times[-1]}


if __name__ == "__main__":
    main()
