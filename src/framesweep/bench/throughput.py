"""Measures training, evaluation and prediction, each interleaved with its baselines.

Training is measured inside `fit` itself, with everything that a run does in a step: a callback
stops the clock after a few steps and lets the baselines run, before training continues. See
`timing` for the reason.
"""

import math
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from framesweep.bench.baselines import is_plain_mlp, synchronize
from framesweep.bench.case import Case
from framesweep.bench.contenders import (
    build_evaluation_bounds,
    build_loops,
    build_plain_step,
    build_training_bounds,
    count_step_frames,
)
from framesweep.bench.corpus import NUM_CLASSES
from framesweep.bench.timing import Contender, Speeds
from framesweep.errors import Interrupted
from framesweep.evaluation.evaluate import compute_log_posteriors
from framesweep.runs.experiment import Experiment
from framesweep.system.processor import name_processor
from framesweep.training.callbacks import NoOpCallback

WARM_STEPS = 3
"""Steps that are not measured, in which loops are compiled and memory is allocated."""


def measure_training(case: Case, rounds: int, steps: int) -> dict[str, Any]:
    """Return the frames/s of `fit`, with all that it does, and of the baselines, and ratios.

    The loop in Python always computes in float32, whatever the case's precision: it stands for
    the original project.

    Args:
        rounds: number of rounds, in each of which every baseline runs once.
        steps: steps that `fit` takes in each round.
    """
    experiment = case.build_experiment()
    contenders = {**build_training_bounds(experiment), **build_plain_step(experiment)}
    extra = {}
    if is_plain_mlp(experiment.config.model):
        loops, measure_workers = build_loops(case, experiment)
        contenders |= loops
        if not case.cpu_time:  # the CPU time of the workers is not that of this process
            extra["DataLoader, 2 workers"] = measure_workers()
    callback = _InterleavedRounds(case, experiment, contenders, rounds, steps)
    speeds = _train(experiment, callback)
    return _build_result(case, "train", speeds, extra)


def measure_evaluation(case: Case, rounds: int) -> list[dict[str, Any]]:
    """Return the frames/s of evaluation and of prediction on dev, and of their upper bound."""
    experiment = case.build_experiment()
    hardware, model = experiment.components.hardware, experiment.components.model
    dev = experiment.dev
    bounds = build_evaluation_bounds(experiment)

    def evaluate() -> int:
        experiment.evaluate(dev)
        return dev.num_frames

    def predict() -> int:
        compute_log_posteriors(model, dev, hardware, NUM_CLASSES)
        return dev.num_frames

    results = []
    for name, contender in (("evaluate", evaluate), ("predict", predict)):
        contenders = {name: contender, **bounds}
        Speeds().run_round(contenders)  # a warm-up, which is not recorded
        speeds = Speeds(case.clock)
        for _ in range(rounds):
            speeds.run_round(contenders)
        results.append(_build_result(case, name, speeds, {}))
    return results


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
        self._step_frames = count_step_frames(experiment)
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
            self.speeds.add("train", self._steps * self._step_frames, seconds)
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
        "processor": name_processor(),
        "threads": torch.get_num_threads(),
        "frames_per_second": speeds.to_dict() | alone,
        "ratio": ratios,
    }
