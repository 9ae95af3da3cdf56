"""The training loop. It knows windows, a network and a listener; nothing of who listens."""

import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from torch import Tensor, nn
from torch.optim import Optimizer

from framesweep.data.chunks import Runs
from framesweep.data.windows import Windows
from framesweep.distributed.collectives import SINGLE_PROCESS, ProcessGroup, Shard
from framesweep.errors import Interrupted
from framesweep.system.hardware import Hardware, get_rng_state, set_rng_state
from framesweep.training.checkpoints import Checkpoints
from framesweep.training.losses import Loss
from framesweep.training.lr_schedules import Schedule
from framesweep.training.plan import Plan, improves, steps_per_epoch
from framesweep.training.samplers import (
    BlockShuffleSampler,
    ChunkSampler,
    Order,
    ShuffleSampler,
)
from framesweep.training.state import Progress, RunningMetrics, check_loss
from framesweep.training.weight_averaging import WeightAverage

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
class TrainingComponents:
    """What is trained, and by what."""

    model: nn.Module
    optimizer: Optimizer
    schedule: Schedule
    loss: Loss
    clip: Callable[[Iterable[Tensor]], Tensor | None]
    augment: Callable[[Tensor, Shard | None], Tensor] | None
    hardware: Hardware
    average: WeightAverage | None = None
    process_group: ProcessGroup = SINGLE_PROCESS

    @property
    def evaluated(self) -> nn.Module:
        """The network to evaluate and to keep: the averaged one where there is one."""
        average = None if self.average is None else self.average.model
        return self.model if average is None else average


def fit(
    parts: TrainingComponents,
    train: Windows | Runs,
    evaluate: Callable[[], dict[str, float]],
    plan: Plan,
    checkpoints: Checkpoints,
    listener: Listener,
) -> Progress:
    """Trains until the plan is done, from the last checkpoint where there is one.

    `evaluate` gives the dev metrics of the network as it is, the objective among them.

    Raises:
        Interrupted: the listener gave a signal; a checkpoint has been written.
        NonFiniteLossError: the loss on train or dev became NaN or infinite.
        RankLostError: another of the processes that train is gone.
        CheckpointError: the last checkpoint is damaged or of another run.
    """
    progress = _restore(checkpoints, parts)
    parts.process_group.replicate(parts.model)
    listener.on_restore(progress.history)
    while not _finished(progress, plan):
        _train_epoch(parts, train, plan, progress, checkpoints, listener)
        metrics = {**progress.train_metrics(), **evaluate()}
        check_loss("dev", metrics.get("dev/loss", 0.0), f"epoch {progress.epoch}")
        metrics["train/lr"] = parts.schedule.lr
        best = progress.best(plan.objective) if progress.history else None
        progress.history.append(metrics)
        if improves(metrics[plan.objective], best, maximize=plan.maximize):
            progress.best_epoch = progress.epoch
            checkpoints.save_best(parts.evaluated)
        parts.schedule.epoch_end(metrics[plan.objective])
        progress.begin_epoch()
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
    parts: TrainingComponents,
    train: Windows | Runs,
    plan: Plan,
    progress: Progress,
    checkpoints: Checkpoints,
    listener: Listener,
) -> None:
    parts.model.train()
    order = _order(plan, progress.epoch, train)
    sums = RunningMetrics(progress, parts.hardware, parts.process_group)
    num_items = plan.items_in(progress.epoch, train.item_frames)
    num_steps = steps_per_epoch(train.num_items, num_items)
    saved = time.monotonic()
    while progress.step < num_steps:
        items = order.take(progress.step * num_items, num_items)
        sums.add(*_train_step(parts, train, items))
        progress.step += 1
        listener.on_step(progress.epoch, progress.step, num_steps)
        signum, late = parts.process_group.all_reduce_max(
            listener.stop_signal(), time.monotonic() - saved >= 60 * plan.checkpoint_minutes
        )
        last = progress.step == num_steps
        if signum or late or last or progress.step % CHECK_STEPS == 0:
            sums.write(progress)
            if _out_of_time(progress, plan):
                _leave_out(parts, num_steps - progress.step)
                break
        if (signum or late) and not last:
            checkpoints.save(_state(parts, progress))
            saved = time.monotonic()
        if signum and not last:
            raise Interrupted(int(signum))


def _leave_out(parts: TrainingComponents, num_steps: int) -> None:
    """Counts steps as taken, so that a continuation ends its course with its last step."""
    parts.schedule.skip(num_steps)
    if parts.average is not None:
        parts.average.skip(num_steps)


def _order(plan: Plan, epoch: int, train: Windows | Runs) -> Order:
    if isinstance(train, Runs):
        return ChunkSampler(plan.seed, epoch, train.num_rows, train.run_frames, train.device)
    if plan.window_frames is None:
        return ShuffleSampler(plan.seed, epoch, train.num_frames, train.device)
    return BlockShuffleSampler(
        plan.seed, epoch, train.num_frames, plan.window_frames, train.device, train.fetch
    )


def _train_step(
    parts: TrainingComponents, train: Windows | Runs, items: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Takes a step on a batch, and gives this rank's sums of losses, hits and frames in it."""
    items, shard = parts.process_group.shard(items)
    inputs, labels = train.batch(items, shard)
    if parts.augment is not None:
        inputs = parts.augment(inputs, shard)
    with parts.hardware.autocast():
        # Without a shard the network may be any module, such as torch's own Sequential.
        outputs = parts.model(inputs) if shard is None else parts.model(inputs, shard)
        logits = outputs.float()
    loss = parts.loss(logits, labels)
    parts.optimizer.zero_grad()
    parts.hardware.backward(loss)
    parts.process_group.all_reduce_gradients(parts.model)
    parts.hardware.unscale(parts.optimizer)
    parts.clip(parts.model.parameters())
    parts.hardware.step(parts.optimizer)
    parts.schedule.step()
    if parts.average is not None:
        parts.average.step(parts.model)
    correct = (logits.detach().argmax(dim=1) == labels).sum()
    num_frames = (labels >= 0).sum()
    total = num_frames.clone()
    parts.process_group.all_reduce_sum(total)
    return loss.detach() * total, correct, num_frames


def _state(parts: TrainingComponents, progress: Progress) -> dict[str, Any]:
    return {
        "model": parts.model.state_dict(),
        "optimizer": parts.optimizer.state_dict(),
        "schedule": parts.schedule.state_dict(),
        "average": None if parts.average is None else parts.average.state_dict(),
        "scaler": parts.hardware.scaler_state(),
        "rng": get_rng_state(),
        "progress": asdict(progress),
    }


def _restore(checkpoints: Checkpoints, parts: TrainingComponents) -> Progress:
    state = parts.process_group.broadcast(checkpoints.load())
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
