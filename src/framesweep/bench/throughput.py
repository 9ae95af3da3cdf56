"""Training, evaluation and prediction against their baselines, each in one run."""

import math
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from framesweep.bench import baselines
from framesweep.bench.baselines import products_alone, wait_for
from framesweep.bench.corpus import NUM_CLASSES
from framesweep.bench.timing import Contender, Speeds
from framesweep.config.composition import compose
from framesweep.errors import Interrupted
from framesweep.evaluation.evaluate import BATCH_FRAMES, log_posteriors
from framesweep.runs.experiment import Experiment, build_experiment
from framesweep.system.hardware import Hardware
from framesweep.training.callbacks import NoOpCallback

WARM_STEPS = 3
LOOP_BATCHES = {64: 6, 512: 1}
"""Batch sizes of the loop in Python, and batches a round."""


@dataclass(frozen=True, slots=True)
class Case:
    """One network on one corpus."""

    model: str
    precision: str
    context: int
    root: str
    outputs: str
    threads: int | None = None
    cpu_time: bool = False

    @property
    def clock(self) -> Callable[[], float]:
        """The clock on the wall, or the process's own time, which no other process bears on."""
        return time.process_time if self.cpu_time else time.perf_counter

    def experiment(self) -> Experiment:
        """The case's parts, as `train.py` would build them.

        Raises:
            ConfigError: the network is more than the perceptron that the baselines are.
        """
        config = compose(self.overrides())
        baselines.check(config.model)
        return build_experiment(config)

    def overrides(self) -> list[str]:
        """The arguments of `train.py` for it."""
        return [
            "data=hw1p2",
            f"data.root={self.root}",
            f"data.context={self.context}",
            f"model={self.model}",
            f"hardware.precision={self.precision}",
            f"outputs={self.outputs}",
            f"hardware.threads={self.threads or 'null'}",
            "tracking.backend=none",
            "train.epochs=1000000",
        ]

    def labels(self) -> dict[str, Any]:
        """What tells the case from others."""
        return {k: v for k, v in asdict(self).items() if k in ("model", "precision", "context")}


def measure_training(case: Case, rounds: int, steps: int) -> dict[str, Any]:
    """Frames/s of `fit` with all that belongs to it, of the baselines, and their ratios.

    The loop in Python is in float32 whatever the case's precision, as it was written.

    Args:
        rounds: turns; in each `fit` takes `steps` steps and every baseline runs once.
    """
    experiment = case.experiment()
    hardware, batch_size = experiment.components.hardware, experiment.plan.batch_size
    sizes = (experiment.train.window_dim, *experiment.widths, NUM_CLASSES)
    plain = Hardware(hardware.device, "fp32", hardware.threads, compile=False)
    dataset = baselines.FrameDataset(case.context, experiment.train.feature_dim, NUM_CLASSES)
    contenders = {
        **_products(sizes, batch_size, hardware, train=True),
        "plain step": baselines.plain_training(sizes, batch_size, hardware),
        **{
            f"python loop, batch {size}": baselines.python_loop(
                sizes, dataset, plain, size, num_batches
            )
            for size, num_batches in LOOP_BATCHES.items()
        },
    }
    turns = _Turns(case, experiment, contenders, rounds, steps)
    speeds = _train_in_turns(experiment, turns)
    extra = {}
    if not case.cpu_time:  # the workers' seconds are not this process's
        extra["DataLoader, 2 workers"] = _worker_speed(sizes, dataset, hardware, batch_size)
    return _result(case, "train", speeds, extra)


def measure_evaluation(case: Case, rounds: int) -> list[dict[str, Any]]:
    """Frames/s of evaluation and of prediction on dev, against their products alone."""
    experiment = case.experiment()
    hardware, model = experiment.components.hardware, experiment.components.model
    sizes = (experiment.train.window_dim, *experiment.widths, NUM_CLASSES)
    dev = experiment.dev

    def evaluate() -> int:
        experiment.evaluate(dev)
        return dev.num_frames

    def predict() -> int:
        log_posteriors(model, dev, hardware, NUM_CLASSES)
        return dev.num_frames

    results = []
    for name, contender in (("evaluate", evaluate), ("predict", predict)):
        contenders = {
            name: contender,
            **_products(sizes, BATCH_FRAMES, hardware, train=False),
        }
        Speeds().take_turns(contenders)
        speeds = Speeds(case.clock)
        for _ in range(rounds):
            speeds.take_turns(contenders)
        results.append(_result(case, name, speeds, {}))
    return results


def _products(
    sizes: tuple[int, ...], batch_size: int, hardware: Hardware, *, train: bool
) -> dict[str, Contender]:
    return {
        f"products, {kind}": products_alone(sizes, batch_size, hardware, product, train=train)
        for kind, product in baselines.product_kinds(hardware.device).items()
    }


def _train_in_turns(experiment: Experiment, turns: "_Turns") -> Speeds:
    with tempfile.TemporaryDirectory() as folder:
        try:
            experiment.fit(experiment.checkpoints(Path(folder)), turns)
        except Interrupted:
            return turns.speeds
    raise AssertionError("training ended before it was measured")


class _Turns(NoOpCallback):
    """Listens to `fit`, and after every few steps lets the baselines have their turn."""

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
        self._done = -WARM_STEPS
        self._started = math.nan

    def on_step(self, epoch: int, step: int, num_steps: int) -> None:
        self._done += 1
        if step == num_steps:
            self._done = min(self._done, 0) - 1  # the epoch's end is another measurement
        elif self._done > 0 and self._done == self._steps:
            wait_for(self._device)
            seconds = self.speeds.clock() - self._started
            self.speeds.add("train", self._steps * self._batch_size, seconds)
            self.speeds.take_turns(self._contenders)
        elif self._done == 0:
            Speeds().take_turns(self._contenders)
        else:
            return
        self._done = min(self._done, 0)
        self._started = self.speeds.clock()

    def stop_signal(self) -> int:
        return 2 if len(self.speeds.rounds.get("train", ())) == self._rounds else 0


def _worker_speed(
    sizes: tuple[int, ...],
    dataset: baselines.FrameDataset,
    hardware: Hardware,
    batch_size: int,
    num_batches: int = 6,
) -> float:
    run, close = baselines.worker_loop(sizes, dataset, hardware, batch_size)
    for _ in range(5):
        run()  # what the workers had ready
    started = time.perf_counter()
    num_frames = sum(run() for _ in range(num_batches))
    speed = num_frames / (time.perf_counter() - started)
    close()
    return speed


def _result(case: Case, what: str, speeds: Speeds, alone: dict[str, float]) -> dict[str, Any]:
    """Speeds by name, and the ratio of `what`'s to each; `products` is the fastest of them."""
    ratios = {name: speeds.ratio(what, name) for name in speeds.rounds if name != what}
    ratios |= {name: speeds.speed(what) / speed for name, speed in alone.items()}
    ratios["products"] = min(
        ratio for name, ratio in ratios.items() if name.startswith("products")
    )
    return {
        "what": what,
        **case.labels(),
        "threads": torch.get_num_threads(),
        "frames_per_second": speeds.to_dict() | alone,
        "ratio": ratios,
    }
