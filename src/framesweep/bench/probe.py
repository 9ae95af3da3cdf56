"""One short run in a process of its own, timed from that process's very start.

    python -m framesweep.bench.probe STARTED STEPS OVERRIDE...

STARTED is the monotonic clock when the process was started, or `cpu` for the process's own
seconds instead of those on the wall. Prints one line of JSON.
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


def main() -> None:
    """Trains STEPS steps and prints seconds and bytes; imports come first, all of them."""
    clock = _clock(sys.argv[1])
    import torch._dynamo  # torch.optim imports it when first used

    import framesweep.runs.run  # noqa: F401
    from framesweep import kernels
    from framesweep.config.composition import compose, register
    from framesweep.runs.experiment import build_experiment

    kernels.available(torch.empty(2, 2))  # imports numba
    seconds = {"imports": clock()}
    imported = memory()
    register()
    experiment = build_experiment(compose(sys.argv[3:]))
    seconds["build"] = clock()
    seconds |= _train(experiment, int(sys.argv[2]), clock)
    split = experiment.store.splits["train"]
    _touch(split.rows)
    _touch(split.labels)
    features = split.num_frames * split.rows.shape[1] * 4
    held = {"imports": imported.get("peak", 0), **memory()}
    print(json.dumps({"seconds": seconds, "features": features, "memory": held}))


def _clock(started: str) -> Callable[[], float]:
    """Seconds since the start, on the wall or of the process's own."""
    if started == "cpu":
        return time.process_time
    return lambda: time.monotonic() - float(started)


def _touch(array: Any) -> None:
    """Reads a value of every page of an array, as an epoch does in the end."""
    flat = array.reshape(-1)
    int(np.count_nonzero(flat[:: 4096 // flat.itemsize]))


def memory() -> dict[str, int]:
    """Bytes of this process: the most it held, and what it holds in files and of its own.

    Empty where the system does not tell.
    """
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return {}
    names = {"VmHWM": "peak", "RssAnon": "own", "RssFile": "files"}
    return {
        names[key]: int(value.split()[0]) * 1024
        for key, _, value in (line.partition(":") for line in lines)
        if key in names
    }


def _train(experiment: Any, num_steps: int, clock: Callable[[], float]) -> dict[str, float]:
    """Trains, and gives when the first and the last step were done."""
    from framesweep.errors import Interrupted
    from framesweep.training.callbacks import NoOpCallback

    times: list[float] = []

    class Callback(NoOpCallback):
        def on_step(self, epoch: int, step: int, num_steps: int) -> None:
            times.append(clock())

        def stop_signal(self) -> int:
            return 2 if len(times) >= num_steps else 0

    with tempfile.TemporaryDirectory() as folder:
        checkpoints = experiment.checkpoints(Path(folder))
        with suppress(Interrupted):
            experiment.fit(checkpoints, Callback())
    return {"first step": times[0], "last step": times[-1]}


if __name__ == "__main__":
    main()
