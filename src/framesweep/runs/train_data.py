"""Places the train split on the device, or lets its rows be streamed where it does not fit."""

import logging
from dataclasses import replace
from pathlib import Path

from framesweep.config import Hw1p2FoldersConfig, RunConfig
from framesweep.data.chunks import FrameChunks
from framesweep.data.store.frame_store import Split
from framesweep.data.store_budget import StoreBudget, split_bytes
from framesweep.data.streamed_chunks import StreamedChunks
from framesweep.data.streamed_windows import BLOCK_FRAMES, StreamedWindows
from framesweep.data.utterance_chunks import UtteranceChunks
from framesweep.data.windows import Windows
from framesweep.models.network import ChunkShape
from framesweep.system.hardware import Hardware
from framesweep.training.checkpoints import CHECKPOINT_FOLDER
from framesweep.training.plan import Plan
from framesweep.training.step import TrainingData

log = logging.getLogger(__name__)


def place_train_data(
    config: RunConfig,
    chunk: ChunkShape | None,
    split: Split,
    resources: Hardware,
    budget: StoreBudget,
) -> tuple[RunConfig, TrainingData]:
    """Return windows of the train split, or chunks of consecutive frames, and the config.

    Windows that do not fit on the device are streamed, which requires train.order=windows. The
    order of a run must not depend on how much memory a GPU has free when it is resumed, so the
    config that is returned, and saved with the run, has the order that was chosen.

    Args:
        config: The config of the run.
        chunk: The chunks that the network is trained on; None for windows.
        split: The train split.
        resources: The device.
        budget: The memory for features, from which the split is taken.
    """
    fits = budget.admit(split, resources.input_dtype)
    if not fits:
        _log_streaming(split, resources, budget, reorders=chunk is None)
    if chunk is not None:
        return config, _open_chunks(config, chunk, split, resources, fits=fits)
    context, device, dtype = config.data.context, resources.device, resources.input_dtype
    if fits:
        return config, Windows(split, context, device, dtype)
    train = replace(config.train, order="windows")
    blocks = max(1, train.window_frames // BLOCK_FRAMES)
    batch = max(train.batch_size, train.final_batch_size or 0)
    windows = StreamedWindows(split, context, device, dtype, blocks, batch)
    return replace(config, train=train), windows


def batch_shape(train: TrainingData, plan: Plan, num_processes: int) -> tuple[int, int]:
    """Return the shape of the part of a batch that each process computes in the first epoch."""
    items = min(plan.batch_items(1, train.item_frames), train.num_items)
    return -(-items // num_processes), train.item_dim


def _open_chunks(
    config: RunConfig, chunk: ChunkShape, split: Split, resources: Hardware, *, fits: bool
) -> FrameChunks | UtteranceChunks:
    context, device, dtype = config.data.context, resources.device, resources.input_dtype
    tempo = config.augment.tempo
    if chunk.within_utterances:
        return UtteranceChunks(
            split, context, chunk.num_frames, device, dtype, tempo, fits=fits
        )
    if fits:
        return FrameChunks(split, context, chunk.num_frames, chunk.stride, device, dtype, tempo)
    batch = max(config.train.batch_size, config.train.final_batch_size or 0)
    # One more than fit, because the number of chunks per batch is rounded.
    item_frames = max(1, min(chunk.num_frames, split.num_frames) // chunk.stride)
    return StreamedChunks(
        split,
        context,
        chunk.num_frames,
        chunk.stride,
        device,
        dtype,
        tempo,
        batch_chunks=batch // item_frames + 1,
    )


def _log_streaming(
    split: Split, resources: Hardware, budget: StoreBudget, *, reorders: bool
) -> None:
    log.info(
        "the features of %s take %.2f GiB, and %s has %.2f GiB for features: they are streamed "
        "in blocks%s",
        split.name,
        split_bytes(split, resources.input_dtype) / 2**30,
        resources.device,
        budget.limit / 2**30,
        ", in the order of train.order=windows" if reorders else "",
    )


def with_recorded_order(config: RunConfig, directory: Path) -> RunConfig:
    """Return the config with the orders that an earlier part of the same run has saved.

    A trial that another worker continues is composed anew, perhaps on another GPU, where the
    features fit. It must nevertheless continue in the order of frames in which it began, and
    with the numbers of its phones, which an earlier version may have chosen.
    """
    # Imported here, because experiments are also built where Hydra is not installed.
    from framesweep.config.composition import CONFIG_FILE, load

    path = directory / CONFIG_FILE
    if not (directory / CHECKPOINT_FOLDER).exists() or not path.exists():
        return config
    recorded = load(path.read_text(encoding="utf-8"), [], path)
    data, train = config.data, config.train
    if isinstance(data, Hw1p2FoldersConfig) and isinstance(recorded.data, Hw1p2FoldersConfig):
        data = replace(data, phone_order=recorded.data.phone_order)
    if (recorded.train.order, recorded.train.window_frames) == ("windows", train.window_frames):
        train = replace(train, order="windows")
    return replace(config, data=data, train=train)
