"""The training loop. It knows windows, a network and a listener; nothing of who listens."""

import math
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from framesweep.averaging import WeightAverage
from framesweep.checkpoint import Checkpoints
from framesweep.data.windows import Windows
from framesweep.errors import Interrupted, NonFiniteLossError
from framesweep.hardware import Hardware, get_rng_state, set_rng_state
from framesweep.plan import Plan, epoch_order, objective_sign, steps_per_epoch
from framesweep.schedule import Schedule

CHECK_STEPS = 50
"""Steps between two looks at the loss; each look waits for an accelerator."""


class Listener(Protocol):
    """Who is told how training goes."""

    def on_restore(self, history: list[dict[str, float]]) -> None:
        """Training goes on after these epochs' metrics, from the first epoch on."""

    def on_step(self, epoch: int, step: int, num_steps: int) -> None:
        """`step` of the epoch's `num_steps` steps are done."""

    def on_epoch(self, epoch: int, metrics: dict[str, float]) -> None:
        """An epoch, counted from 1, has been trained, evaluated and saved."""

    def stop_signal(self) -> int:
        """Number of the signal that asks to stop, else 0."""
        ...


@dataclass(slots=True)
class Parts:
    """What is trained, and by what."""

    model: nn.Module
    optimizer: Optimizer
    schedule: Schedule
    loss: Callable[[Tensor, Tensor], Tensor]
    clip: Callable[[Iterable[Tensor]], Tensor | None]
    augment: Callable[[Tensor], Tensor] | None
    hardware: Hardware
    average: WeightAverage | None = None

    @property
    def evaluated(self) -> nn.Module:
        """The network to evaluate and to keep: the averaged one where there is one."""
        average = None if self.average is None else self.average.model
        return self.model if average is None else average


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


def fit(
    parts: Parts,
    train: Windows,
    evaluate: Callable[[], dict[str, float]],
    plan: Plan,
    checkpoints: Checkpoints,
    listener: Listener,
) -> Progress:
    """Trains until the plan is done, from the last checkpoint where there is one.

    `evaluate` gives the dev metrics of the network as it is, the objective among them.

    Raises:
        Interrupted: the listener gave a signal; a checkpoint has been written.
        NonFiniteLossError: the loss became NaN or infinite.
        CheckpointError: the last checkpoint is damaged or of another run.
    """
    progress = _restore(checkpoints, parts)
    listener.on_restore(progress.history)
    while not _finished(progress, plan):
        _train_epoch(parts, train, plan, progress, checkpoints, listener)
        metrics = {**_train_metrics(progress), **evaluate()}
        metrics["train/lr"] = parts.schedule.lr
        progress.history.append(metrics)
        sign = objective_sign(plan.objective)
        value = sign * metrics[plan.objective]
        if progress.best_epoch == 0 or value > sign * progress.best(plan.objective):
            progress.best_epoch = progress.epoch
            checkpoints.save_best(parts.evaluated)
        parts.schedule.epoch_end(metrics[plan.objective])
        _begin_epoch(progress)
        checkpoints.save(_state(parts, progress))
        listener.on_epoch(progress.epoch - 1, metrics)
    return progress


def _finished(progress: Progress, plan: Plan) -> bool:
    done = progress.epoch - 1
    stale = plan.patience is not None and done - progress.best_epoch >= plan.patience
    return done >= plan.epochs or (done > 0 and (stale or _out_of_time(progress, plan)))


def _out_of_time(progress: Progress, plan: Plan) -> bool:
    return plan.max_minutes is not None and progress.total_seconds >= 60 * plan.max_minutes


def _train_epoch(
    parts: Parts,
    train: Windows,
    plan: Plan,
    progress: Progress,
    checkpoints: Checkpoints,
    listener: Listener,
) -> None:
    parts.model.train()
    order = epoch_order(plan.seed, progress.epoch, train.num_frames).to(train.device)
    sums = _Sums(progress, parts.hardware)
    batch_size = plan.batch_size_in(progress.epoch)
    num_steps = steps_per_epoch(train.num_frames, batch_size)
    saved = time.monotonic()
    while progress.step < num_steps:
        first = progress.step * batch_size
        frames = order[first : first + batch_size].long()
        sums.add(*_train_step(parts, train, frames))
        progress.step += 1
        progress.num_seen += len(frames)
        listener.on_step(progress.epoch, progress.step, num_steps)
        signum = listener.stop_signal()
        late = time.monotonic() - saved >= 60 * plan.checkpoint_minutes
        last = progress.step == num_steps
        if signum or late or last or progress.step % CHECK_STEPS == 0:
            sums.write(progress)
            if _out_of_time(progress, plan):
                break
        if (signum or late) and not last:
            checkpoints.save(_state(parts, progress))
            saved = time.monotonic()
        if signum and not last:
            raise Interrupted(signum)


def _train_step(parts: Parts, train: Windows, frames: Tensor) -> tuple[Tensor, Tensor]:
    windows, labels = train.gather(frames), train.labels(frames)
    if parts.augment is not None:
        windows = parts.augment(windows)
    with parts.hardware.autocast():
        logits = parts.model(windows)
    loss = parts.loss(logits.float(), labels)
    parts.optimizer.zero_grad()
    parts.hardware.backward(loss)
    parts.hardware.unscale(parts.optimizer)
    parts.clip(parts.model.parameters())
    parts.hardware.step(parts.optimizer)
    parts.schedule.step()
    if parts.average is not None:
        parts.average.step(parts.model)
    correct = (logits.detach().argmax(dim=1) == labels).sum()
    return loss.detach() * len(frames), correct


class _Sums:
    """Loss and hits of the epoch so far, on the device: no step waits for them."""

    def __init__(self, progress: Progress, hardware: Hardware) -> None:
        device, dtype = hardware.device, hardware.sum_dtype
        self.loss = torch.tensor(progress.loss_sum, dtype=dtype, device=device)
        self.correct = torch.tensor(progress.num_correct, device=device)
        self.started = time.monotonic()

    def add(self, loss: Tensor, correct: Tensor) -> None:
        self.loss += loss
        self.correct += correct

    def write(self, progress: Progress) -> None:
        """Brings `progress` up to date; raises NonFiniteLossError for a lost loss."""
        progress.loss_sum = float(self.loss)
        if not math.isfinite(progress.loss_sum):
            raise NonFiniteLossError(
                f"the training loss became {progress.loss_sum} in epoch {progress.epoch}, by "
                f"step {progress.step}; the last good checkpoint is kept. A smaller optim.lr, "
                "optim.clip_norm=1 or hardware.precision=fp32 may help"
            )
        progress.num_correct = int(self.correct)
        now = time.monotonic()
        progress.epoch_seconds += now - self.started
        progress.total_seconds += now - self.started
        self.started = now


def _train_metrics(progress: Progress) -> dict[str, float]:
    return {
        "train/loss": progress.loss_sum / progress.num_seen,
        "train/accuracy": progress.num_correct / progress.num_seen,
        "train/frames_per_second": progress.num_seen / max(progress.epoch_seconds, 1e-9),
    }


def _begin_epoch(progress: Progress) -> None:
    progress.epoch += 1
    progress.step = progress.num_correct = progress.num_seen = 0
    progress.loss_sum = progress.epoch_seconds = 0.0


def _state(parts: Parts, progress: Progress) -> dict[str, Any]:
    return {
        "model": parts.model.state_dict(),
        "optimizer": parts.optimizer.state_dict(),
        "schedule": parts.schedule.state_dict(),
        "average": None if parts.average is None else parts.average.state_dict(),
        "scaler": parts.hardware.scaler_state(),
        "rng": get_rng_state(),
        "progress": asdict(progress),
    }


def _restore(checkpoints: Checkpoints, parts: Parts) -> Progress:
    state = checkpoints.load()
    if state is None:
        return Progress()
    parts.model.load_state_dict(state["model"])
    parts.optimizer.load_state_dict(state["optimizer"])
    parts.schedule.load_state_dict(state["schedule"])
    if parts.average is not None:
        parts.average.load_state_dict(state["average"])
    parts.hardware.load_scaler_state(state["scaler"])
    set_rng_state(state["rng"])
    return Progress(**state["progress"])
