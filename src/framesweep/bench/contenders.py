"""What each measurement of throughput is compared with, for an experiment."""

import time
from collections.abc import Callable
from functools import partial
from typing import cast

import torch

from framesweep.bench import baselines
from framesweep.bench.baselines import build_matmul_bound, list_matmuls
from framesweep.bench.case import Case
from framesweep.bench.corpus import NUM_CLASSES
from framesweep.bench.plain_networks import build_plain
from framesweep.bench.timing import Contender
from framesweep.evaluation.evaluate import batch_frames
from framesweep.kernels.linear_calls import list_linear_calls, record_linear_calls
from framesweep.models.network import Network, network_class
from framesweep.runs.experiment import Experiment
from framesweep.system.hardware import Hardware

LOOP_BATCHES = {64: 6, 512: 1}
"""Batch sizes of the loop in Python, each with its number of batches per round."""


def build_training_bounds(experiment: Experiment) -> dict[str, Contender]:
    """Return the multiplications of a training step, by each implementation."""
    components = experiment.components
    assert components.matmuls is not None
    components.choose_matmuls()
    calls = components.matmuls.list_calls()
    num_frames = count_step_frames(experiment)
    ways = list_matmuls(components.hardware.device, components.matmuls.layers)
    return {
        f"matmul, {name}": build_matmul_bound(
            calls, num_frames, components.hardware, choose, train=True
        )
        for name, choose in ways.items()
    }


def count_step_frames(experiment: Experiment) -> int:
    """Return the frames whose loss a training step computes."""
    item_frames = experiment.train.item_frames
    return experiment.plan.batch_items(1, item_frames) * item_frames


def build_plain_step(experiment: Experiment) -> dict[str, Contender]:
    """Return a step of the same network in plain PyTorch, if there is one."""
    train, hardware = experiment.train, experiment.components.hardware
    chunk = network_class(experiment.config.model).chunk_shape(experiment.config.model)
    network = build_plain(
        cast(Network, experiment.components.model),
        experiment.config.model,
        NUM_CLASSES,
        train.feature_dim,
        chunk.stride if chunk is not None else 1,
    )
    if network is None:
        return {}
    num_items = experiment.plan.batch_items(1, train.item_frames)
    inputs = torch.randn(num_items, train.item_dim, device=hardware.device)
    num_frames = count_step_frames(experiment)
    step = baselines.build_plain_training(network, inputs, num_frames, NUM_CLASSES, hardware)
    return {"plain step": step}


def build_loops(
    case: Case, experiment: Experiment
) -> tuple[dict[str, Contender], Callable[[], float]]:
    """Return loops in Python, and a function that measures a DataLoader with workers."""
    hardware, batch_size = experiment.components.hardware, experiment.plan.batch_size
    sizes = (experiment.train.window_dim, *experiment.widths, NUM_CLASSES)
    plain = Hardware(hardware.device, "fp32", hardware.threads, compile=False)
    dataset = baselines.FrameDataset(case.context, experiment.train.feature_dim, NUM_CLASSES)
    loops = {
        f"python loop, batch {size}": baselines.build_python_loop(
            sizes, dataset, plain, size, num_batches
        )
        for size, num_batches in LOOP_BATCHES.items()
    }
    return loops, partial(_measure_worker_loop, sizes, dataset, hardware, batch_size)


def build_evaluation_bounds(experiment: Experiment) -> dict[str, Contender]:
    """Return the multiplications of a batch in evaluation, by each implementation."""
    dev, hardware = experiment.dev, experiment.components.hardware
    network, num_frames = experiment.components.model, min(batch_frames(dev), dev.num_frames)
    was_training = network.training
    network.eval()
    together = network.stretch_eval() if isinstance(network, Network) else None
    with hardware.autocast(), torch.no_grad():
        if together is None:
            item = torch.ones(dev.window_dim, dtype=hardware.input_dtype, device=dev.device)
            calls = list_linear_calls(network, num_frames, item, training=False)
        else:
            dev.hold_range((0, num_frames))
            calls = record_linear_calls(network, lambda: together(*dev.stretch(0, num_frames)))
    network.train(was_training)
    return {
        f"matmul, {name}": build_matmul_bound(calls, num_frames, hardware, choose, train=False)
        for name, choose in list_matmuls(hardware.device, {}).items()
    }


def _measure_worker_loop(
    sizes: tuple[int, ...],
    dataset: baselines.FrameDataset,
    hardware: Hardware,
    batch_size: int,
    num_batches: int = 6,
) -> float:
    """Return the frames/s of a DataLoader with two workers, alone on the machine."""
    run, close = baselines.build_worker_loop(sizes, dataset, hardware, batch_size)
    for _ in range(5):
        run()  # the workers have prefetched batches, which must not count as fast ones
    started = time.perf_counter()
    num_frames = sum(run() for _ in range(num_batches))
    speed = num_frames / (time.perf_counter() - started)
    close()
    return speed
