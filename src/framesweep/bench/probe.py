"""One short run in a process of its own, timed from that process's very start.

    python -m framesweep.bench.probe STARTED STEPS OVERRIDE...

STARTED is the monotonic clock when the process was started. Prints one line of JSON.
"""

import json
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any


def main() -> None:
    """Trains STEPS steps and prints seconds and bytes; imports come first, all of them."""
    started, num_steps = float(sys.argv[1]), int(sys.argv[2])
    import torch._dynamo  # torch.optim imports it when first used

    import framesweep.run  # noqa: F401
    from framesweep import kernels
    from framesweep.composition import compose, register
    from framesweep.experiment import build_experiment

    kernels.available(torch.empty(2, 2))  # imports numba
    seconds = {"imports": time.monotonic() - started}
    register()
    experiment = build_experiment(compose(sys.argv[3:]))
    seconds["build"] = time.monotonic() - started
    seconds |= {k: t - started for k, t in _train(experiment, num_steps).items()}
    rows = experiment.store.splits["train"].rows
    features = experiment.train.num_frames * experiment.train.feature_dim * rows.itemsize
    print(json.dumps({"seconds": seconds, "features": features, "memory": memory()}))


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


def _train(experiment: Any, num_steps: int) -> dict[str, float]:
    """Trains, and gives when the first and the last step were done."""
    from framesweep.bench.listening import Silence
    from framesweep.checkpoint import Checkpoints
    from framesweep.errors import Interrupted
    from framesweep.training import fit

    times: list[float] = []

    class Listener(Silence):
        def on_step(self, epoch: int, step: int, num_steps: int) -> None:
            times.append(time.monotonic())

        def stop_signal(self) -> int:
            return 2 if len(times) >= num_steps else 0

    with tempfile.TemporaryDirectory() as folder:
        checkpoints = Checkpoints(Path(folder), experiment.identity)
        with suppress(Interrupted):
            fit(
                experiment.parts,
                experiment.train,
                experiment.dev_metrics,
                experiment.plan,
                checkpoints,
                Listener(),
            )
    return {"first step": times[0], "last step": times[-1]}


if __name__ == "__main__":
    main()
