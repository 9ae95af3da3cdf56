"""Averages of the weights over training, which often generalize better than the last ones."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from framesweep.config import TrainConfig


class WeightAverage:
    """A running average of a network's weights and batch-norm statistics.

    `ema` is an exponential moving average (Polyak and Juditsky, "Acceleration of Stochastic
    Approximation by Averaging", 1992). Its decay after n steps is
    min(ema_decay, (1 + n) / (10 + n)), so that the untrained weights are soon forgotten. `swa`
    is the arithmetic mean over the last part of training (Izmailov et al., "Averaging Weights
    Leads to Wider Optima and Better Generalization", 2018), from `average_from` of its steps.

    Args:
        config: The `train` group.
        model: The network to average.
        total_steps: Steps of the whole run.
    """

    def __init__(self, config: TrainConfig, model: nn.Module, total_steps: int) -> None:
        self._decay = config.ema_decay
        self._equal = config.average == "swa"
        first = min(round(config.average_from * total_steps), total_steps - 1)
        self._first = first if self._equal else 0
        self._steps = 0
        self._average = AveragedModel(model, multi_avg_fn=self._blend, use_buffers=True)

    @property
    def model(self) -> nn.Module | None:
        """The network with averaged weights; None before the first step that is averaged."""
        started = self._steps > self._first
        return self._average.module if started else None

    def step(self, model: nn.Module) -> None:
        """Count one step and average its weights; called after the optimizer's step."""
        self._steps += 1
        if self._steps > self._first:
            self._average.update_parameters(model)

    def skip(self, num_steps: int) -> None:
        """Count steps that are not taken, up to the first that is averaged."""
        self._steps = max(self._steps, min(self._steps + num_steps, self._first))

    def state_dict(self) -> dict[str, Any]:
        return {"steps": self._steps, "average": self._average.state_dict()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._steps = state_dict["steps"]
        self._average.load_state_dict(state_dict["average"])

    @torch.no_grad()
    def _blend(self, averaged: Any, current: Any, _: Tensor | int) -> None:
        """Move the averaged tensors towards the current ones; the first step copies them."""
        number = self._steps - self._first - 1
        kept = (
            number / (number + 1)
            if self._equal
            else min(self._decay, (1 + number) / (10 + number))
        )
        if averaged[0].is_floating_point():
            torch._foreach_lerp_(averaged, current, 1 - kept)
        else:
            torch._foreach_copy_(averaged, current)


def build_average(
    config: TrainConfig, model: nn.Module, total_steps: int
) -> WeightAverage | None:
    """Return the configured weight average, or None."""
    return None if config.average == "none" else WeightAverage(config, model, total_steps)
