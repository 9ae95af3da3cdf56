"""How far training has come, and the running metrics of the current epoch."""

import math
import time
from dataclasses import dataclass, field

import torch
from torch import Tensor

from framesweep.distributed.collectives import ProcessGroup
from framesweep.errors import NonFiniteLossError
from framesweep.system.hardware import Hardware


@dataclass(slots=True)
class TrainingState:
    """How far training has come; part of each checkpoint.

    Attributes:
        epoch: The epoch of the next step, from 1.
        step: Steps taken in that epoch.
        loss_sum: Sum of the losses of the epoch's labelled frames so far.
        num_correct: Frames of the epoch that were classified correctly.
        num_seen: Labelled frames of the epoch so far.
        epoch_seconds: Seconds spent on the epoch's steps.
        total_seconds: Seconds spent on the steps of all epochs.
        best_epoch: The epoch with the best objective, 0 before the first.
        history: The metrics of each finished epoch.
    """

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
        """Return the value of a metric in the best epoch."""
        return self.history[self.best_epoch - 1][name]

    def train_metrics(self) -> dict[str, float]:
        """Return the `train/` metrics of the current epoch by name."""
        return {
            "train/loss": self.loss_sum / self.num_seen,
            "train/accuracy": self.num_correct / self.num_seen,
            "train/frames_per_second": self.num_seen / max(self.epoch_seconds, 1e-9),
        }

    def begin_epoch(self) -> None:
        """Advance to the first step of the next epoch."""
        self.epoch += 1
        self.step = self.num_correct = self.num_seen = 0
        self.loss_sum = self.epoch_seconds = 0.0


def check_loss_is_finite(split: str, loss: float, when: str, num_epochs: int) -> None:
    """Raise NonFiniteLossError where the loss of a split is NaN or infinite.

    Args:
        split: The name of the split.
        loss: Its loss.
        when: The epoch and step, for the message.
        num_epochs: Epochs that have ended, each with a checkpoint.
    """
    if not math.isfinite(loss):
        saved = f"the checkpoint after epoch {num_epochs} is kept"
        kept = saved if num_epochs else "no epoch had ended before it"
        raise NonFiniteLossError(
            f"the {split} loss became {loss} in {when}; {kept}. A "
            "smaller optim.lr, optim.clip_norm=1 or hardware.precision=fp32 may help"
        )


class RunningMetrics:
    """Sums of loss and correct predictions over the current epoch, kept on the device.

    No step reads them on the host, which would make it wait for the accelerator; `write` does
    so once every few steps. Each rank sums its own rows. The sums that a checkpoint holds are
    those of all ranks, so rank 0 continues them and the others begin at zero. The tensors are
    the same in all epochs, because a recorded step adds to those that it was recorded with.
    """

    def __init__(
        self, state: TrainingState, hardware: Hardware, process_group: ProcessGroup
    ) -> None:
        device = hardware.device
        self.loss = torch.zeros((), dtype=hardware.sum_dtype, device=device)
        self.correct = torch.zeros((), dtype=torch.int64, device=device)
        self.seen = torch.zeros((), dtype=torch.int64, device=device)
        self.process_group = process_group
        self.restart(state)

    def restart(self, state: TrainingState) -> None:
        """Continue the sums of `state` and start the clock, at the start of an epoch."""
        is_main = self.process_group.rank == 0
        self.loss.fill_(state.loss_sum * is_main)
        self.correct.fill_(state.num_correct * is_main)
        self.seen.fill_(state.num_seen * is_main)
        self.started = time.monotonic()

    def add(self, loss: Tensor, correct: Tensor, seen: Tensor) -> None:
        """Add one step's sums, scalars on the device."""
        self.loss += loss
        self.correct += correct
        self.seen += seen

    def write(self, state: TrainingState) -> None:
        """Write the sums over all ranks, and the time since the last call, into `state`.

        Raises:
            NonFiniteLossError: The loss of one of the steps was NaN or infinite.
            RankLostError: Another rank has ended.
        """
        loss, correct, seen = self.loss.clone(), self.correct.clone(), self.seen.clone()
        self.process_group.all_reduce_sum(loss, correct, seen)
        state.loss_sum = float(loss)
        when = f"epoch {state.epoch}, by step {state.step}"
        check_loss_is_finite("training", state.loss_sum, when, state.epoch - 1)
        state.num_correct, state.num_seen = int(correct), int(seen)
        now = time.monotonic()
        # The slowest rank decides, so that all agree when the time is up.
        (seconds,) = self.process_group.all_reduce_max(now - self.started)
        state.epoch_seconds += seconds
        state.total_seconds += seconds
        self.started = now
