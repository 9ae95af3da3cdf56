"""Estimates the time and the memory of a run from a few of its steps; writes nothing."""

import contextlib
import statistics
import time
from dataclasses import dataclass

import torch

from framesweep.config import RunConfig
from framesweep.runs.experiment import Experiment, build_experiment
from framesweep.system.cgroups import memory_limit
from framesweep.system.device_memory import release_memory
from framesweep.system.processes import measure_peak_memory
from framesweep.training.callbacks import NoOpCallback
from framesweep.training.checkpoints import NoCheckpoints

WARM_UP_STEPS = 3
"""Steps that are not timed, because code is compiled and memory is allocated in them."""
MOST_STEPS = 20
"""Largest number of steps that are timed."""
MOST_SECONDS = 3.0
"""Time after which no further step is timed."""
EVALUATION_SHARE = 1 / 3
"""Time of evaluating a frame as a share of that of training on it, which multiplies the same
matrices three times: forward, and backward to the inputs and to the weights."""


@dataclass(frozen=True, slots=True)
class RunCost:
    """What a run needs.

    Attributes:
        seconds: Of all epochs, with an evaluation after each of them.
        memory: Peak in bytes, of the GPU, or of this process on a CPU.
        memory_limit: Bytes that there are.
    """

    seconds: float
    memory: int
    memory_limit: int


class _Measured(Exception):  # noqa: N818 - it ends the training and is no error
    """Enough steps have been timed."""


class _StepClock(NoOpCallback):
    """Times the steps of a training, and ends it after a few."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._began = self._last = time.perf_counter()
        self.seconds: list[float] = []

    def on_step(self, epoch: int, step: int, num_steps: int) -> None:
        if self._device.type != "cpu":
            torch.accelerator.synchronize()
        now = time.perf_counter()
        self.seconds.append(now - self._last)
        self._last = now
        num_timed = len(self.seconds) - WARM_UP_STEPS
        if num_timed >= MOST_STEPS or (num_timed > 0 and now - self._began > MOST_SECONDS):
            raise _Measured

    def on_evaluate(self, epoch: int) -> None:
        raise _Measured  # an epoch has fewer steps

    @property
    def step_seconds(self) -> float:
        """The median of the timed steps."""
        return statistics.median(self.seconds[WARM_UP_STEPS:] or self.seconds)


def measure_cost(config: RunConfig) -> RunCost:
    """Take a few steps of a run whose corpus has been prepared, and return what it needs.

    Raises:
        RuntimeError, MemoryError: The memory does not suffice.
        ConfigError, DataError: as `build_experiment`.
    """
    try:
        return _measure(build_experiment(config))
    finally:
        release_memory(compiled=config.hardware.compile)


def _measure(experiment: Experiment) -> RunCost:
    device = experiment.components.hardware.device
    clock = _StepClock(device)
    with contextlib.suppress(_Measured):
        experiment.fit(NoCheckpoints(), clock)
    plan, train = experiment.plan, experiment.train
    num_steps = plan.total_steps(train.count_items, train.item_frames)
    train_seconds = num_steps * clock.step_seconds
    ratio = experiment.dev.num_frames / experiment.store.splits["train"].num_frames
    seconds = train_seconds * (1 + EVALUATION_SHARE * ratio)
    if plan.max_minutes is not None:
        seconds = min(seconds, 60 * plan.max_minutes)
    return RunCost(seconds, *_read_memory(device))


def _read_memory(device: torch.device) -> tuple[int, int]:
    """Return the peak of the memory that is used so far, and how much there is, in bytes."""
    if device.type == "cuda":
        total: int = torch.cuda.mem_get_info(device)[1]
        return int(torch.cuda.max_memory_reserved(device)), total
    return measure_peak_memory(), memory_limit()
