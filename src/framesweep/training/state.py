"""Where training stands, and the sums of the epoch so far."""

import math
import time
from dataclasses import dataclass, field

import torch
from torch import Tensor

from framesweep.distributed.collectives import ProcessGroup
from framesweep.errors import NonFiniteLossError
from framesweep.system.hardware import Hardware


@dataclass(slots=True)
class Progress:
    """Where training stands: the next step to take, and what came before it."""

    epoch: int = 1
    step: int = 0
    loss_sum: float = 0.0
    num_correct: int = 0
    num_seen: int = 0
    epoch_seconds: float = 0.0
    total_seconds: float = 0.0
    best_epoch: int = 0
    history: list[dict[str, float]] = field(default_factory=list)

    def best(self, name: str) -> float:
        """The metric's value in the best epoch."""
        return self.history[self.best_epoch - 1][name]

    def train_metrics(self) -> dict[str, float]:
        """The epoch's own metrics, by name."""
        return {
            "train/loss": self.loss_sum / self.num_seen,
            "train/accuracy": self.num_correct / self.num_seen,
            "train/frames_per_second": self.num_seen / max(self.epoch_seconds, 1e-9),
        }

    def begin_epoch(self) -> None:
        """Goes to the next epoch's first step."""
        self.epoch += 1
        self.step = self.num_correct = self.num_seen = 0
        self.loss_sum = self.epoch_seconds = 0.0


def check_loss(name: str, loss: float, when: str) -> None:
    """Raises NonFiniteLossError for a loss that is none."""
    if not math.isfinite(loss):
        raise NonFiniteLossError(
            f"the {name} loss became {loss} in {when}; the last good checkpoint is kept. A "
            "smaller optim.lr, optim.clip_norm=1 or hardware.precision=fp32 may help"
        )


class RunningMetrics:
    """Loss and hits of the epoch so far, on the device: no step waits for them.

    Each rank sums its own rows; what was summed before a checkpoint is with the first.
    """

    def __init__(
        self, progress: Progress, hardware: Hardware, process_group: ProcessGroup
    ) -> None:
        device, dtype = hardware.device, hardware.sum_dtype
        first = process_group.rank == 0
        self.loss = torch.tensor(progress.loss_sum * first, dtype=dtype, device=device)
        self.correct = torch.tensor(progress.num_correct * first, device=device)
        self.seen = torch.tensor(progress.num_seen * first, device=device)
        self.process_group = process_group
        self.started = time.monotonic()

    def add(self, loss: Tensor, correct: Tensor, seen: Tensor) -> None:
        self.loss += loss
        self.correct += correct
        self.seen += seen

    def write(self, progress: Progress) -> None:
        """Brings `progress` up to date; raises NonFiniteLossError for a lost loss."""
        loss, correct, seen = self.loss.clone(), self.correct.clone(), self.seen.clone()
        self.process_group.all_reduce_sum(loss, correct, seen)
        progress.loss_sum = float(loss)
        check_loss(
            "training", progress.loss_sum, f"epoch {progress.epoch}, by step {progress.step}"
        )
        progress.num_correct, progress.num_seen = int(correct), int(seen)
        now = time.monotonic()
        (seconds,) = self.process_group.all_reduce_max(now - self.started)
        progress.epoch_seconds += seconds
        progress.total_seconds += seconds
        self.started = now
