"""What a run costs beside its steps: its start, its memory, the ends of its epochs."""

import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from framesweep.bench.corpus import write_corpus
from framesweep.bench.throughput import Case
from framesweep.config import TrackingConfig
from framesweep.tracking import Tracker, open_tracker
from framesweep.training.callbacks import NoOpCallback
from framesweep.training.loop import fit


def probe(num_steps: int, overrides: Sequence[str], *, cpu_time: bool) -> dict[str, Any]:
    """What `bench.probe` says of a run of so many steps."""
    started = "cpu" if cpu_time else repr(time.monotonic())
    command = [sys.executable, "-m", "framesweep.bench.probe"]
    done = subprocess.run(
        [*command, started, str(num_steps), *overrides],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def help_seconds() -> float:
    """Seconds of `framesweep train --help`, the shortest of three."""
    seconds = []
    for _ in range(3):
        started = time.monotonic()
        subprocess.run(
            [
                sys.executable,
                "-c",
                "from framesweep.cli import main; main()",
                "train",
                "--help",
            ],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        seconds.append(time.monotonic() - started)
    return min(seconds)


def measure_scale(
    folder: Path, num_frames: int, dtype: str, num_steps: int, case: Case
) -> dict[str, Any]:
    """Seconds to the first step, cold and prepared, steps' speed, and memory, of one size.

    Args:
        folder: for the corpus, which is kept, and the prepared store, which is deleted.
        dtype: of the store, float32 or float16.
    """
    root = write_corpus(folder, num_frames)
    cache = folder / f"cache-{num_frames}-{dtype}"
    overrides = [*case.overrides(), f"data.root={root}", f"data.cache={cache}"]
    overrides.append(f"data.dtype={dtype}")
    try:
        cold = probe(1, overrides, cpu_time=case.cpu_time)
        probe(1, overrides, cpu_time=case.cpu_time)  # files and compiled loops into memory
        prepared = probe(num_steps, overrides, cpu_time=case.cpu_time)
    finally:
        shutil.rmtree(cache, ignore_errors=True)
    seconds, memory = prepared["seconds"], prepared["memory"]
    training = seconds["last step"] - seconds["first step"]
    peak, features = memory.get("peak", 0), prepared["features"]
    return {
        "what": "scale",
        "frames": num_frames,
        "dtype": dtype,
        "imports": seconds["imports"],
        "first step beyond imports": seconds["first step"] - seconds["imports"],
        "first step, cold": cold["seconds"]["first step"],
        "seconds a step": training / max(1, num_steps - 1),
        "memory": memory,
        "peak over features": peak / features,
        "peak beyond imports over features": (peak - memory["imports"]) / features,
        "peak over features, cold": cold["memory"].get("peak", 0) / features,
    }


def measure_epoch_overhead(case: Case, num_epochs: int = 2) -> dict[str, Any]:
    """Share of an epoch that is neither steps nor evaluation: checkpoints and MLflow."""
    experiment = case.experiment()
    evaluating: list[float] = []

    def evaluate() -> dict[str, float]:
        started = time.perf_counter()
        metrics = experiment.dev_metrics()
        evaluating.append(time.perf_counter() - started)
        return metrics

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        tracker = open_tracker(TrackingConfig(), folder, folder / "run")
        with tracker:
            callback = _EpochTimes(tracker)
            fit(
                experiment.components,
                experiment.train,
                evaluate,
                replace(experiment.plan, epochs=num_epochs),
                experiment.checkpoints(folder / "checkpoints"),
                callback,
            )
    training = sum(
        experiment.train.num_frames / metrics["train/frames_per_second"]
        for metrics in callback.metrics
    )
    other = callback.seconds - training - sum(evaluating)
    return {
        "what": "epoch",
        **case.labels(),
        "frames": experiment.train.num_frames,
        "share of evaluation": sum(evaluating) / callback.seconds,
        "share of all else": other / callback.seconds,
        "seconds of all else": other / num_epochs,
    }


class _EpochTimes(NoOpCallback):
    """Tracks epochs as a run does, and notes how long they take in all."""

    def __init__(self, tracker: Tracker) -> None:
        self.metrics: list[dict[str, float]] = []
        self.seconds = 0.0
        self._tracker = tracker
        self._started = 0.0

    def on_restore(self, history: list[dict[str, float]]) -> None:
        self._started = time.perf_counter()

    def on_epoch(self, epoch: int, metrics: dict[str, float]) -> None:
        self._tracker.log_epoch(epoch, metrics)
        self.metrics.append(metrics)
        self.seconds = time.perf_counter() - self._started
