"""A process that trains, and perhaps kills itself: `python -m framesweep.bench.gpu.child`.

Its argument is a JSON object: `setup`, the fields of a Setup; `case` and `values`, as for
`Setup.config`; `run`, the folder of its checkpoints; `weights`, the file for its weights; and
`kill`, the epoch and step after which it sends itself SIGKILL, or null.
"""

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import torch

from framesweep.bench.gpu.cases import Setup
from framesweep.training.callbacks import NoOpCallback

EPOCHS = 3


class _Kill(NoOpCallback):
    """Kills this process after a step, as a power failure would."""

    def __init__(self, after: list[int] | None) -> None:
        self._after = after

    def on_step(self, epoch: int, step: int, num_steps: int) -> None:
        if [epoch, step] == self._after:
            os.kill(os.getpid(), signal.SIGKILL)


def main(task: dict[str, Any]) -> None:
    """Train from the last checkpoint to the end, and save the weights."""
    setup = Setup(**{**task["setup"], "folder": Path(task["setup"]["folder"])})
    # A checkpoint after every step.
    values = {"train.epochs": EPOCHS, "train.checkpoint_minutes": 1e-9, **task["values"]}
    experiment = setup.build(task["case"], values)
    experiment.fit(experiment.checkpoints(Path(task["run"])), _Kill(task["kill"]))
    torch.save(experiment.components.evaluated.state_dict(), task["weights"])


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
