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
        """Return the `train/` metrics of the current epoch by name; 0 without frames."""
        # The time may be up when only padding has been seen, which has no labels.
        num_seen = max(1, self.num_seen)
        return {
            "train/loss": self.loss_sum / num_seen,
            "train/accuracy": self.num_correct / num_seen,
            "train/frames_per_second": self.num_seen / max(self.epoch_seconds, 1e-9),
        }

    def begin_epoch(self) -> None:
        """Advance to the first step of the next epoch."""
        self.epoch += 1
        self.step = self.num_correct = self.num_seen = 0
        self.loss_sum = self.epoch_seconds = 0.0


def check_loss_is_finite(split: str, loss: float, when: str, saved: tuple[int, int]) -> None:
    """Raise NonFiniteLossError where the loss of a split is NaN or infinite.

    Args:
        split: The name of the split.
        loss: Its loss.
        when: The epoch and step, for the message.
        saved: The epoch, and the steps taken in it, of the last checkpoint; (1, 0) for none.
    """
    if not math.isfinite(loss):
        raise NonFiniteLossError(
            f"the {split} loss became {loss} in {when}; {_describe_checkpoint(*saved)}. A "
            "smaller optim.lr, optim.clip_norm=1 or hardware.precision=fp32 may help"
        )


def _describe_checkpoint(epoch: int, step: int) -> str:
    """Say which checkpoint there is, by the epoch of its next step and the steps before it."""
    if step:
        return f"the checkpoint of epoch {epoch}, step {step} is kept"
    return (
        f"the checkpoint after epoch {epoch - 1} is kept"
        if epoch > 1
        else "no checkpoint had been saved"
    )


class RunningMetrics:
    """Sums of loss and correct predictions over the current epoch, kept on the device.

    No step reads them on the host, which would make it wait for the accelerator; `write` does
    so once every few steps. Each rank sums its own rows. The sums that a checkpoint holds are
    those of all ranks, so rank 0 continues them and the others begin at zero. The tensors are
    the same in all epochs, because a recorded step adds to those that it was recorded with.

    Attributes:
        saved: The epoch, and the steps taken in it, of the last checkpoint.
    """

    def __init__(
        self, state: TrainingState, hardware: Hardware, process_group: ProcessGroup
    ) -> None:
        device = hardware.device
        self.loss = torch.zeros((), dtype=hardware.sum_dtype, device=device)
        self.correct = torch.zeros((), dtype=torch.int64, device=device)
        self.seen = torch.zeros((), dtype=torch.int64, device=device)
        self.process_group = process_group
        self.note_checkpoint(state)
        self.restart(state)

    def note_checkpoint(self, state: TrainingState) -> None:
        """Remember for messages that `state` has been saved."""
        self.saved = (state.epoch, state.step)

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
        check_loss_is_finite("training", state.loss_sum, when, self.saved)
        state.num_correct, state.num_seen = int(correct), int(seen)
        now = time.monotonic()
        # The slowest rank decides, so that all agree when the time is up.
        (seconds,) = self.process_group.all_reduce_max(now - self.started)
        state.epoch_seconds += seconds
        state.total_seconds += seconds
        self.started = now
