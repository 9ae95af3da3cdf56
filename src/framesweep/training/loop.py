"""The training loop.

It knows data, a network and what trains it, and reports to one callback. A checkpoint holds
everything that changes while it runs, so that training that was stopped and resumed computes
the same bits as training that was never stopped.
"""

import time
from collections.abc import Callable
from dataclasses import asdict

from framesweep.data.chunks import FrameChunks
from framesweep.data.streamed_chunks import StreamedChunks
from framesweep.data.streamed_windows import StreamedWindows
from framesweep.data.utterance_chunks import UtteranceChunks
from framesweep.errors import Interrupted
from framesweep.training.callbacks import Callback
from framesweep.training.checkpoints import Checkpoints
from framesweep.training.components import TrainingComponents
from framesweep.training.plan import Plan, improves, steps_per_epoch
from framesweep.training.samplers import (
    BlockShuffleSampler,
    ChunkSampler,
    FrameSampler,
    ShuffleSampler,
)
from framesweep.training.sequence_sampler import SequenceSampler
from framesweep.training.state import RunningMetrics, TrainingState, check_loss_is_finite
from framesweep.training.step import TrainingData, TrainingStep

AGREE_STEPS = 10
"""Steps after which ranks on GPUs agree whether to stop or to save. To agree, their hosts wait
for each other, which must not happen in each of the short steps of a GPU."""
CHECK_STEPS = 50
"""Steps between checks of the loss and the time, each of which waits for an accelerator."""


def fit(
    components: TrainingComponents,
    train: TrainingData,
    evaluate: Callable[[], dict[str, float]],
    plan: Plan,
    checkpoints: Checkpoints,
    callback: Callback,
) -> TrainingState:
    """Train to the end of the plan, from the last checkpoint if there is one.

    Args:
        components: The network and what trains it.
        train: The training data.
        evaluate: Returns the dev metrics of the network as it is, the objective among them.
        plan: How long to train.
        checkpoints: Where the state is saved after each epoch and at intervals.
        callback: Hears of each step and epoch.

    Returns:
        The final state, with the metrics of all epochs.

    Raises:
        Interrupted: The callback returned a signal; a checkpoint has been written.
        NonFiniteLossError: The training or dev loss became NaN or infinite.
        RankLostError: Another rank has ended.
        CheckpointError: The last checkpoint is damaged or belongs to another run.
    """
    state = _restore(checkpoints, components)
    components.process_group.replicate(components.model)
    sums = RunningMetrics(state, components.hardware, components.process_group)
    constant_size = plan.final_batch_size is None
    step = TrainingStep(components, train, sums, constant_size=constant_size)
    callback.on_restore(state.history)
    while not _is_finished(state, plan):
        _train_epoch(components, train, plan, state, checkpoints, callback, step)
        callback.on_evaluate(state.epoch)
        metrics = _evaluate_epoch(components, evaluate, plan, state, sums.saved)
        if state.best_epoch == state.epoch:
            checkpoints.save_best(components.evaluated)
        components.schedule.epoch_end(metrics[plan.objective])
        state.begin_epoch()
        _save(checkpoints, components, state, sums)
        callback.on_epoch(state.epoch - 1, metrics, is_last=_is_finished(state, plan))
    return state


def _evaluate_epoch(
    components: TrainingComponents,
    evaluate: Callable[[], dict[str, float]],
    plan: Plan,
    state: TrainingState,
    saved: tuple[int, int],
) -> dict[str, float]:
    """Return the metrics of the state's epoch, having added them to its history."""
    metrics = {**state.train_metrics(), **evaluate()}
    check_loss_is_finite("dev", metrics.get("dev/loss", 0.0), f"epoch {state.epoch}", saved)
    metrics["train/lr"] = components.schedule.lr
    best = state.best(plan.objective) if state.history else None
    state.history.append(metrics)
    if improves(metrics[plan.objective], best, maximize=plan.maximize):
        state.best_epoch = state.epoch
    return metrics


def _is_finished(state: TrainingState, plan: Plan) -> bool:
    """Return whether the plan is done, its patience spent or its time up.

    The two limits end training after one epoch at the earliest, so that there is a result.
    """
    done = state.epoch - 1
    is_stale = plan.patience is not None and done - state.best_epoch >= plan.patience
    return done >= plan.epochs or (done > 0 and (is_stale or _is_out_of_time(state, plan)))


def _is_out_of_time(state: TrainingState, plan: Plan) -> bool:
    return plan.max_minutes is not None and state.total_seconds >= 60 * plan.max_minutes


def _train_epoch(
    components: TrainingComponents,
    train: TrainingData,
    plan: Plan,
    state: TrainingState,
    checkpoints: Checkpoints,
    callback: Callback,
    step: TrainingStep,
) -> None:
    """Train from the state's step to the end of its epoch, or until the time is up."""
    components.model.train()
    process_group = components.process_group
    sampler = _build_sampler(plan, state.epoch, train)
    sums = step.sums
    sums.restart(state)
    batch_items = plan.batch_items(state.epoch, train.item_frames)
    num_items = train.count_items(plan.num_utterances(state.epoch))
    num_steps = steps_per_epoch(num_items, batch_items)
    saved = time.monotonic()
    while state.step < num_steps:
        items = sampler.indices(state.step * batch_items, batch_items)
        step(items, is_full=len(items) == batch_items)
        state.step += 1
        callback.on_step(state.epoch, state.step, num_steps)
        is_last = state.step == num_steps
        signum, save_due = 0.0, 0.0
        if is_last or state.step % _steps_to_agree(components) == 0:
            # All ranks must stop or save after the same step, whichever has a reason to.
            save_due = float(time.monotonic() - saved >= 60 * plan.checkpoint_minutes)
            signum, save_due = process_group.all_reduce_max(callback.stop_signal(), save_due)
        if signum or save_due or is_last or state.step % CHECK_STEPS == 0:
            sums.write(state)
            callback.on_values(state.loss_sum / max(1, state.num_seen), components.schedule.lr)
            if _is_out_of_time(state, plan):
                components.skip(num_steps - state.step)
                break
        if (signum or save_due) and not is_last:
            _save(checkpoints, components, state, sums)
            saved = time.monotonic()
        if signum and not is_last:
            raise Interrupted(int(signum))


def _steps_to_agree(components: TrainingComponents) -> int:
    """Return after how many steps the ranks agree whether to stop or to save."""
    on_cpu = components.hardware.device.type == "cpu"
    return 1 if on_cpu or components.process_group.size == 1 else AGREE_STEPS


def _build_sampler(plan: Plan, epoch: int, train: TrainingData) -> FrameSampler:
    """Return the order of an epoch's items."""
    utterances = plan.num_utterances(epoch)
    if isinstance(train, UtteranceChunks):
        return SequenceSampler(plan.seed, epoch, train, utterances)
    if isinstance(train, FrameChunks):
        hold_chunks = train.hold if isinstance(train, StreamedChunks) else None
        num_rows = train.count_rows(utterances)
        return ChunkSampler(
            plan.seed, epoch, num_rows, train.chunk_frames, train.device, hold_chunks
        )
    num_frames = train.count_items(utterances)
    if plan.buffer_frames is None:
        return ShuffleSampler(plan.seed, epoch, num_frames, train.device)
    hold = train.hold if isinstance(train, StreamedWindows) else None
    return BlockShuffleSampler(
        plan.seed, epoch, num_frames, plan.buffer_frames, train.device, train.fetch, hold
    )


def _save(
    checkpoints: Checkpoints,
    components: TrainingComponents,
    state: TrainingState,
    sums: RunningMetrics,
) -> None:
    """Save everything that changes in training; its keys are the checkpoint's format."""
    checkpoints.save({**components.state_dict(), "progress": asdict(state)})
    sums.note_checkpoint(state)


def _restore(checkpoints: Checkpoints, components: TrainingComponents) -> TrainingState:
    """Load the last checkpoint, which rank 0 sends to all ranks, into the components."""
    saved = components.process_group.broadcast(checkpoints.load())
    if saved is None:
        components.choose_matmuls()
        return TrainingState()
    components.load_state_dict(saved)
    return TrainingState(**saved["progress"])
