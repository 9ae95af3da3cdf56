"""Takes a few steps of `fit`, as a run would, and looks at what happens between them."""

from collections.abc import Callable

import torch
from torch import Tensor

from framesweep.errors import Interrupted
from framesweep.runs.experiment import Experiment
from framesweep.training.callbacks import NoOpCallback
from framesweep.training.checkpoints import NoCheckpoints
from framesweep.training.loop import fit

OnStep = Callable[[int], None]
"""Called with the number of steps taken so far."""


class _Counter(NoOpCallback):
    """Counts steps over epochs, and asks to stop after some of them."""

    def __init__(self, num_steps: int, on_step: OnStep) -> None:
        self._num_steps, self._on_step = num_steps, on_step
        self.taken = 0

    def on_step(self, epoch: int, step: int, num_steps: int) -> None:
        self.taken += 1
        # The last step of an epoch does not stop training; one more is then taken.
        if self.taken <= self._num_steps:
            self._on_step(self.taken)

    def stop_signal(self) -> int:
        return 2 if self.taken >= self._num_steps else 0


def take_steps(
    experiment: Experiment, num_steps: int, on_step: OnStep = lambda taken: None
) -> None:
    """Train for some steps, without evaluation and checkpoints between the epochs."""
    counter = _Counter(num_steps, on_step)
    objective = experiment.plan.objective
    try:
        fit(
            experiment.components,
            experiment.train,
            lambda: {objective: 0.0},
            experiment.plan,
            NoCheckpoints(),
            counter,
        )
    except Interrupted:
        return
    raise AssertionError(f"training ended after {counter.taken} of {num_steps} steps")


def flat_weights(experiment: Experiment) -> Tensor:
    """Return all parameters in one float32 vector on the CPU."""
    parameters = experiment.components.model.parameters()
    return torch.cat([p.detach().flatten().float().cpu() for p in parameters])
