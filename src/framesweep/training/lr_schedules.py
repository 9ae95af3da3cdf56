"""Learning-rate schedules: the rate as a function of the steps taken."""

import math
from typing import Any

from torch.optim import Optimizer

from framesweep.config import OptimConfig
from framesweep.training.plan import improves

ONECYCLE_START = 1 / 25
"""Learning rate at the start of onecycle, as a share of its peak (torch's default)."""
ONECYCLE_END = ONECYCLE_START * 1e-4
"""Learning rate at the end of onecycle, as a share of its peak (torch's default)."""


class Schedule:
    """Sets the learning rate of every parameter group before each step.

    The rate is `initial_lr * lr_factor(config, step, ...)`, a pure function of the number of
    steps taken, times `gamma` for each drop of the plateau rule; so a state that was saved and
    loaded goes on bit for bit.
    """

    def __init__(
        self,
        config: OptimConfig,
        optimizer: Optimizer,
        total_steps: int,
        steps_per_epoch: int,
        maximize: bool,
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
        self._set()

    def step(self) -> None:
        """Count one batch; called after the optimizer's step."""
        self.skip(1)

    def skip(self, num_steps: int) -> None:
        """Count batches, taken or left out."""
        self._step += num_steps
        self._set()

    def epoch_end(self, objective: float) -> None:
        """Tell the plateau rule an epoch's objective; the other schedules do not listen."""
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
        """Learning rate of the next step (of the first parameter group)."""
        lr: float = self._optimizer.param_groups[0]["lr"]
        return lr

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
        factor *= self._config.gamma**self._drops
        for group in self._optimizer.param_groups:
            group["lr"] = group["initial_lr"] * factor


def build_schedule(
    config: OptimConfig,
    optimizer: Optimizer,
    total_steps: int,
    steps_per_epoch: int,
    maximize: bool = True,
) -> Schedule:
    """Build the schedule of `config` for an optimizer that `build_optimizer` made.

    Args:
        config: the `optim` group.
        optimizer: its learning rates are set for the first step at once.
        total_steps: batches of the whole run.
        steps_per_epoch: batches of an epoch.
        maximize: whether more of the objective is better, for the plateau rule.
    """
    return Schedule(config, optimizer, total_steps, steps_per_epoch, maximize)


def lr_factor(config: OptimConfig, step: int, total_steps: int, steps_per_epoch: int) -> float:
    """Learning rate of a step, counted from 0, as a share of the peak; plateau drops aside.

    `onecycle` (Smith and Topin, 2018) climbs and falls along half cosines. `cosine` climbs
    linearly and falls along a half cosine (Loshchilov and Hutter, 2017). Both reach their end
    with the last step and stay there.
    """
    last = max(total_steps - 1, 1)
    step = min(step, last)
    match config.schedule:
        case "onecycle":
            peak = max(config.warmup * total_steps - 1, 0.0)
            if step < peak:
                return _half_cosine(ONECYCLE_START, 1.0, step / peak)
            return _half_cosine(1.0, ONECYCLE_END, (step - peak) / (last - peak))
        case "cosine":
            peak = min(round(config.warmup * total_steps), total_steps - 1)
            if step < peak:
                return (step + 1) / (peak + 1)
            return _half_cosine(1.0, config.final_lr, (step - peak) / max(last - peak, 1))
        case "step":
            epoch = step // steps_per_epoch
            return config.gamma ** (epoch // config.step_epochs)
    return 1.0


def _half_cosine(start: float, end: float, share: float) -> float:
    return end + (start - end) * (1 + math.cos(math.pi * share)) / 2
