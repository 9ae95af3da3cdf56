"""Learning-rate schedules: the learning rate as a function of the number of steps taken."""

import math
from typing import Any, assert_never

from torch.optim import Optimizer

from framesweep.config import OptimConfig
from framesweep.training.optimizers.rates import set_rate
from framesweep.training.plan import improves

ONECYCLE_START = 1 / 25
"""Initial learning rate of onecycle relative to its peak (torch's default)."""
ONECYCLE_END = ONECYCLE_START * 1e-4
"""Final learning rate of onecycle relative to its peak (torch's default)."""


class Schedule:
    """Sets the learning rate of every parameter group before each step, from the first one on.

    The learning rate is `initial_lr * lr_factor(config, step, ...)`, times `gamma` for each
    reduction of the plateau schedule. It is computed anew from the number of steps: torch's
    schedulers multiply the previous rate instead, which accumulates rounding errors.

    Args:
        config: The `optim` group.
        optimizer: An optimizer that `build_optimizer` returned.
        total_steps: Steps of the whole run.
        steps_per_epoch: Steps of an epoch.
        maximize: Whether a larger objective is better, for the plateau schedule.
    """

    def __init__(
        self,
        config: OptimConfig,
        optimizer: Optimizer,
        total_steps: int,
        steps_per_epoch: int,
        maximize: bool = True,
    ) -> None:
        self._config = config
        self._optimizer = optimizer
        self._total_steps = total_steps
        self._steps_per_epoch = steps_per_epoch
        self._step = 0
        self._maximize = maximize
        self._best: float | None = None
        self._bad_epochs = 0
        self._drops = 0
        self._factor = 1.0
        self._set()

    def step(self) -> None:
        """Count one step; called after the optimizer's."""
        self.skip(1)

    def skip(self, num_steps: int) -> None:
        """Count steps, whether they were taken or not."""
        self._step += num_steps
        self._set()

    def epoch_end(self, objective: float) -> None:
        """Let the plateau schedule reduce the rate if the objective has not improved."""
        if self._config.schedule != "plateau":
            return
        if improves(objective, self._best, maximize=self._maximize):
            self._best, self._bad_epochs = objective, 0
        else:
            self._bad_epochs += 1
        if self._bad_epochs >= self._config.patience:
            self._drops, self._bad_epochs = self._drops + 1, 0
        self._set()

    @property
    def lr(self) -> float:
        """The learning rate of the next step, in the first parameter group."""
        peak: float = self._optimizer.param_groups[0]["initial_lr"]
        return peak * self._factor

    def state_dict(self) -> dict[str, Any]:
        return {
            "step": self._step,
            "best": self._best,
            "bad_epochs": self._bad_epochs,
            "drops": self._drops,
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._step = state_dict["step"]
        self._best = state_dict["best"]
        self._bad_epochs = state_dict["bad_epochs"]
        self._drops = state_dict["drops"]
        self._set()

    def _set(self) -> None:
        factor = lr_factor(self._config, self._step, self._total_steps, self._steps_per_epoch)
        self._factor = factor * self._config.gamma**self._drops
        for group in self._optimizer.param_groups:
            set_rate(group, group["initial_lr"] * self._factor)


def lr_factor(config: OptimConfig, step: int, total_steps: int, steps_per_epoch: int) -> float:
    """Return the learning rate of a step, counted from 0, relative to the peak.

    `onecycle` (Smith and Topin, "Super-Convergence", 2018) rises and falls along half cosines.
    `cosine` rises linearly and falls along a half cosine (Loshchilov and Hutter, "SGDR", 2017).
    Both reach their end with the last step and then stay there. The reductions of `plateau`,
    which depend on the objective, are not included.
    """
    last = max(total_steps - 1, 1)
    step = min(step, last)
    match config.schedule:
        case "onecycle":
            return _onecycle(step, max(config.warmup * total_steps - 1, 0.0), last)
        case "cosine":
            peak = min(round(config.warmup * total_steps), total_steps - 1)
            return _warmup_cosine(step, peak, last, config.final_lr)
        case "step":
            epoch = step // steps_per_epoch
            return config.gamma ** (epoch // config.step_epochs)
        case "constant" | "plateau":
            return 1.0
        case unknown:
            assert_never(unknown)


def _onecycle(step: int, peak: float, last: int) -> float:
    if step < peak:
        return _half_cosine(ONECYCLE_START, 1.0, step / peak)
    return _half_cosine(1.0, ONECYCLE_END, (step - peak) / (last - peak))


def _warmup_cosine(step: int, peak: int, last: int, end: float) -> float:
    if step < peak:
        return (step + 1) / (peak + 1)
    return _half_cosine(1.0, end, (step - peak) / max(last - peak, 1))


def _half_cosine(start: float, end: float, share: float) -> float:
    """Interpolate from `start` (share 0) to `end` (share 1) along half a cosine wave."""
    return end + (start - end) * (1 + math.cos(math.pi * share)) / 2
