"""Measures training, evaluation and prediction, each interleaved with its baselines.

Training is measured inside `fit` itself, with everything that a run does in a step: a callback
stops the clock after a few steps and lets the baselines run, before training continues. See
`timing` for the reason.
"""

import math
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from framesweep.bench import baselines
from framesweep.bench.baselines import build_matmul_bound, synchronize
from framesweep.bench.case import Case
from framesweep.bench.corpus import NUM_CLASSES
from framesweep.bench.timing import Contender, Speeds
from framesweep.errors import Interrupted
from framesweep.evaluation.evaluate import batch_frames, compute_log_posteriors
from framesweep.runs.experiment import Experiment
from framesweep.system.hardware import Hardware
from framesweep.training.callbacks import NoOpCallback

WARM_STEPS = 3
"""Steps that are not measured, in which loops are compiled and memory is allocated."""

LOOP_BATCHES = {64: 6, 512: 1}
"""Batch sizes of the loop in Python, each with its number of batches per round."""


def measure_training(case: Case, rounds: int, steps: int) -> dict[str, Any]:
    """Return the frames/s of `fit`, with all that it does, and of the baselines, and ratios.

    The loop in Python always computes in float32, whatever the case's precision: it stands for
    the original project.

    Args:
        rounds: number of rounds, in each of which every baseline runs once.
        steps: steps that `fit` takes in each round.
    """
    experiment = case.build_experiment()
    hardware, batch_size = experiment.components.hardware, experiment.plan.batch_size
    sizes = (experiment.train.window_dim, *experiment.widths, NUM_CLASSES)
    plain = Hardware(hardware.device, "fp32", hardware.threads, compile=False)
    dataset = baselines.FrameDataset(case.context, experiment.train.feature_dim, NUM_CLASSES)
    contenders = {
        **_build_matmul_bounds(sizes, batch_size, hardware, train=True),
        "plain step": baselines.build_plain_training(sizes, batch_size, hardware),
        **{
            f"python loop, batch {size}": baselines.build_python_loop(
                sizes, dataset, plain, size, num_batches
            )
            for size, num_batches in LOOP_BATCHES.items()
        },
    }
    callback = _InterleavedRounds(case, experiment, contenders, rounds, steps)
    speeds = _train(experiment, callback)
    extra = {}
    if not case.cpu_time:  # the CPU time of the workers is not that of this process
        extra["DataLoader, 2 workers"] = _measure_worker_loop(
            sizes, dataset, hardware, batch_size
        )
    return _build_result(case, "train", speeds, extra)


def measure_evaluation(case: Case, rounds: int) -> list[dict[str, Any]]:
    """Return the frames/s of evaluation and of prediction on dev, and of their upper bound."""
    experiment = case.build_experiment()
    hardware, model = experiment.components.hardware, experiment.components.model
    sizes = (experiment.train.window_dim, *experiment.widths, NUM_CLASSES)
    dev = experiment.dev

    def evaluate() -> int:
        experiment.evaluate(dev)
        return dev.num_frames

    def predict() -> int:
        compute_log_posteriors(model, dev, hardware, NUM_CLASSES)
        return dev.num_frames

    results = []
    for name, contender in (("evaluate", evaluate), ("predict", predict)):
        contenders = {
            name: contender,
            **_build_matmul_bounds(sizes, batch_frames(dev), hardware, train=False),
        }
        Speeds().run_round(contenders)  # a warm-up, which is not recorded
        speeds = Speeds(case.clock)
        for _ in range(rounds):
            speeds.run_round(contenders)
        results.append(_build_result(case, name, speeds, {}))
    return results


def _build_matmul_bounds(
    sizes: tuple[int, ...], batch_size: int, hardware: Hardware, *, train: bool
) -> dict[str, Contender]:
    return {
        f"matmul, {name}": build_matmul_bound(sizes, batch_size, hardware, matmul, train=train)
        for name, matmul in baselines.list_matmuls(hardware.device).items()
    }


def _train(experiment: Experiment, callback: "_InterleavedRounds") -> Speeds:
    """Train until the callback has all its rounds, and return the speeds."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            experiment.fit(experiment.checkpoints(Path(folder)), callback)
        except Interrupted:
            return callback.speeds
    raise AssertionError("training ended before it was measured")


class _InterleavedRounds(NoOpCallback):
    """Interrupts `fit` after every few steps, to let the baselines run for a while.

    `_num_steps` counts the steps of the current round. It starts below zero, for steps that are
    not measured; the clock is started when it reaches zero and read `steps` steps later. Only
    steps between two batches count, so an epoch's end starts over: what `fit` does there,
    evaluation and a checkpoint, is measured by `overhead`.
    """

    def __init__(
        self,
        case: Case,
        experiment: Experiment,
        contenders: Mapping[str, Contender],
        rounds: int,
        steps: int,
    ) -> None:
        self.speeds = Speeds(case.clock)
        self._device = experiment.train.device
        self._batch_size = experiment.plan.batch_size
        self._contenders = contenders
        self._rounds, self._steps = rounds, steps
        self._num_steps = -WARM_STEPS
        self._started = math.nan

    def on_step(self, epoch: int, step: int, num_steps: int) -> None:
        self._num_steps += 1
        if step == num_steps:
            self._num_steps = min(self._num_steps, 0) - 1  # repeat the step in the next epoch
        elif self._num_steps > 0 and self._num_steps == self._steps:
            synchronize(self._device)
            seconds = self.speeds.clock() - self._started
            self.speeds.add("train", self._steps * self._batch_size, seconds)
            self.speeds.run_round(self._contenders)
        elif self._num_steps == 0:
            Speeds().run_round(self._contenders)  # a warm-up, which is not recorded
        else:
            return
        self._num_steps = min(self._num_steps, 0)
        self._started = self.speeds.clock()

    def stop_signal(self) -> int:
        # The number of SIGINT: `fit` raises Interrupted, as if somebody had pressed Ctrl-C.
        return 2 if len(self.speeds.rounds.get("train", ())) == self._rounds else 0


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


def _build_result(
    case: Case, what: str, speeds: Speeds, alone: dict[str, float]
) -> dict[str, Any]:
    """Return all speeds, and the ratio of that of `what` to each of them.

    The ratio `matmul` is the one to the fastest implementation, the actual upper bound.

    Args:
        alone: frames/s of baselines that were not interleaved.
    """
    ratios = {name: speeds.ratio(what, name) for name in speeds.rounds if name != what}
    ratios |= {name: speeds.median(what) / speed for name, speed in alone.items()}
    ratios["matmul"] = min(ratio for name, ratio in ratios.items() if name.startswith("matmul"))
    return {
        "what": what,
        **case.to_labels(),
        "threads": torch.get_num_threads(),
        "frames_per_second": speeds.to_dict() | alone,
        "ratio": ratios,
    }
