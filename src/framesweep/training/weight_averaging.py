"""Averages of the weights over training, which often generalize better than the last ones."""

import copy
from typing import Any

import torch
from torch import Tensor, nn

from framesweep.config import TrainConfig

PREFIX = "module."
"""Begins the names of the averaged tensors in a checkpoint, as torch's AveragedModel has it."""
LARGE = 1 << 18
"""Elements from which a tensor is averaged by a kernel of its own on a GPU."""


class WeightAverage:
    """A running average of a network's weights and batch-norm statistics.

    `ema` is an exponential moving average (Polyak and Juditsky, "Acceleration of Stochastic
    Approximation by Averaging", 1992). Its decay after n steps is
    min(ema_decay, (1 + n) / (10 + n)), so that the untrained weights are soon forgotten. `swa`
    is the arithmetic mean over the last part of training (Izmailov et al., "Averaging Weights
    Leads to Wider Optima and Better Generalization", 2018), from `average_from` of its steps.

    Torch's AveragedModel does the same, but it reads its count of steps from the device twice
    per step, and each read waits for the GPU. Here the host counts.

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
        self._average = copy.deepcopy(model)
        device = next(model.parameters()).device
        # What the last weights count for, and the average: on an NVIDIA GPU two tensors, which
        # a recorded step reads; see `optimizers.rates`.
        self._shares = torch.ones(2, device=device) if device.type == "cuda" else None

    @property
    def model(self) -> nn.Module | None:
        """The network with averaged weights; None before the first step that is averaged."""
        return self._average if self._steps > self._first else None

    def count_step(self) -> None:
        """Count a step, whose weights `update` averages once they are computed."""
        self._steps += 1
        if self._shares is not None:
            share = self._last_share()
            self._shares[0].fill_(share)
            self._shares[1].fill_(1 - share)

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        """Average the weights of the step that was counted last."""
        pairs = list(zip(self.tensors(), _tensors(model), strict=True))
        floats = [pair for pair in pairs if pair[0].is_floating_point()]
        counts = [pair for pair in pairs if not pair[0].is_floating_point()]
        if self._shares is not None:
            _blend_on_device(floats, *self._shares.unbind())
        elif self._steps <= self._first:
            return
        elif (share := self._last_share()) == 1:
            torch._foreach_copy_(*_lists(floats))
        else:
            torch._foreach_lerp_(*_lists(floats), share)
        if counts:
            torch._foreach_copy_(*_lists(counts))

    def tensors(self) -> list[Tensor]:
        """Return the averaged weights and statistics, which `update` changes in place."""
        return _tensors(self._average)

    def _last_share(self) -> float:
        """Return what the weights of the last step count for in the average.

        It is 1 in the first step that is averaged, and in the steps before.
        """
        number = self._steps - self._first - 1
        if number <= 0:
            return 1.0
        if self._equal:
            return 1 - number / (number + 1)
        return 1 - min(self._decay, (1 + number) / (10 + number))

    def skip(self, num_steps: int) -> None:
        """Count steps that are not taken, up to the first that is averaged."""
        self._steps = max(self._steps, min(self._steps + num_steps, self._first))

    def state_dict(self) -> dict[str, Any]:
        averaged = {PREFIX + k: v for k, v in self._average.state_dict().items()}
        num_averaged = torch.tensor(max(0, self._steps - self._first))
        return {"steps": self._steps, "average": {"n_averaged": num_averaged, **averaged}}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._steps = state_dict["steps"]
        self._average.load_state_dict(
            {
                name.removeprefix(PREFIX): tensor
                for name, tensor in state_dict["average"].items()
                if name.startswith(PREFIX)
            }
        )


def _tensors(model: nn.Module) -> list[Tensor]:
    return [*model.parameters(), *model.buffers()]


def _lists(pairs: list[tuple[Tensor, Tensor]]) -> tuple[list[Tensor], list[Tensor]]:
    return [pair[0] for pair in pairs], [pair[1] for pair in pairs]


def _blend_on_device(pairs: list[tuple[Tensor, Tensor]], share: Tensor, rest: Tensor) -> None:
    """Set each averaged tensor to `share` of the current one and `rest` of itself.

    A share of 1 copies. Small tensors are averaged together in three kernels; large ones by one
    kernel each, which reads and writes less.

    Args:
        pairs: The averaged tensors, and the current ones.
        share, rest: Scalars on the device that add up to 1.
    """
    for averaged, current in pairs:
        if averaged.numel() >= LARGE:
            averaged.lerp_(current, share)
    small = [pair for pair in pairs if pair[0].numel() < LARGE]
    if small:
        averaged_list, current_list = _lists(small)
        torch._foreach_mul_(averaged_list, rest)
        torch._foreach_add_(averaged_list, torch._foreach_mul(current_list, share))


def build_average(
    config: TrainConfig, model: nn.Module, total_steps: int
) -> WeightAverage | None:
    """Return the configured weight average, or None."""
    return None if config.average == "none" else WeightAverage(config, model, total_steps)
