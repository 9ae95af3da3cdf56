"""Measures what a run costs in addition to its steps: its start, memory and epoch ends."""

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

from framesweep.bench.case import Case
from framesweep.bench.corpus import write_corpus
from framesweep.config import TrackingConfig
from framesweep.tracking import Tracker, open_tracker
from framesweep.training.callbacks import NoOpCallback
from framesweep.training.loop import fit

TRAIN_HELP = "from framesweep.cli import main; main()", "train", "--help"


def run_probe(num_steps: int, overrides: Sequence[str], *, cpu_time: bool) -> dict[str, Any]:
    """Return what `framesweep.bench.probe` measures in a run of `num_steps` steps.

    It is a new process: imports and peak memory can only be measured once per process.
    """
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


def measure_help_seconds() -> float:
    """Return the seconds that `framesweep train --help` takes, the shortest of three."""
    seconds = []
    for _ in range(3):
        started = time.monotonic()
        command = [sys.executable, "-c", *TRAIN_HELP]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        seconds.append(time.monotonic() - started)
    # Load on the machine only ever adds to the time, so the shortest is the closest to its own.
    return min(seconds)


def measure_scale(
    folder: Path, num_frames: int, dtype: str, num_steps: int, case: Case
) -> dict[str, Any]:
    """Measure the start, the steps and the memory of a run on a corpus of `num_frames` frames.

    The start is measured twice: cold, when the corpus is prepared first, and from the prepared
    frame store.

    Args:
        folder: folder for the corpus, which is kept, and for the frame store, which is deleted.
        dtype: dtype of the frame store, float32 or float16.

    Returns:
        Seconds, bytes, and peak memory in multiples of the features' size in float32.
    """
    root = write_corpus(folder, num_frames)
    cache = folder / f"cache-{num_frames}-{dtype}"
    overrides = [*case.to_overrides(), f"data.root={root}", f"data.cache={cache}"]
    overrides.append(f"data.dtype={dtype}")
    try:
        cold = run_probe(1, overrides, cpu_time=case.cpu_time)
        # Not measured: it brings the store and the compiled loops into the system's file cache.
        run_probe(1, overrides, cpu_time=case.cpu_time)
        prepared = run_probe(num_steps, overrides, cpu_time=case.cpu_time)
    finally:
        shutil.rmtree(cache, ignore_errors=True)
    seconds = prepared["seconds"]
    training = seconds["last step"] - seconds["first step"]
    return {
        "what": "scale",
        "frames": num_frames,
        "dtype": dtype,
        "imports": seconds["imports"],
        "first step beyond imports": seconds["first step"] - seconds["imports"],
        "first step, cold": cold["seconds"]["first step"],
        "seconds per step": training / max(1, num_steps - 1),
        **_summarize_memory(prepared, cold),
    }


def _summarize_memory(prepared: dict[str, Any], cold: dict[str, Any]) -> dict[str, Any]:
    memory, features = prepared["memory"], prepared["features"]
    peak = memory.get("peak", 0)
    return {
        "memory": memory,
        "peak over features": peak / features,
        # Libraries take the same memory whatever the size of the corpus.
        "peak beyond imports over features": (peak - memory["imports"]) / features,
        "peak over features, cold": cold["memory"].get("peak", 0) / features,
    }


def measure_epoch_overhead(case: Case, num_epochs: int = 2) -> dict[str, Any]:
    """Measure the share of an epoch that is neither steps nor evaluation.

    It consists of the checkpoint, of logging to MLflow, and of the loop itself.
    """
    experiment = case.build_experiment()
    evaluating: list[float] = []

    def evaluate() -> dict[str, float]:
        started = time.perf_counter()
        metrics = experiment.dev_metrics()
        evaluating.append(time.perf_counter() - started)
        return metrics

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with open_tracker(TrackingConfig(), folder, folder / "run") as tracker:
            callback = _TrackedEpochs(tracker)
            state = fit(
                experiment.components,
                experiment.train,
                evaluate,
                replace(experiment.plan, epochs=num_epochs),
                experiment.checkpoints(folder / "checkpoints"),
                callback,
            )
    rest = callback.seconds - state.total_seconds - sum(evaluating)
    return {
        "what": "epoch",
        **case.to_labels(),
        "frames": experiment.train.num_frames,
        "share of evaluation": sum(evaluating) / callback.seconds,
        "share of the rest": rest / callback.seconds,
        "seconds of the rest": rest / num_epochs,
    }


class _TrackedEpochs(NoOpCallback):
    """Logs epochs to a tracker as a run does, and measures how long all of them take.

    Attributes:
        seconds: time from the start of training to the end of the last epoch.
    """

    def __init__(self, tracker: Tracker) -> None:
        self.seconds = 0.0
        self._tracker = tracker
        self._started = 0.0

    def on_restore(self, history: list[dict[str, float]]) -> None:
        # `fit` calls this once, when everything is ready for the first step.
        self._started = time.perf_counter()

    def on_epoch(self, epoch: int, metrics: dict[str, float], *, is_last: bool) -> None:
        self._tracker.log_epoch(epoch, metrics)
        self.seconds = time.perf_counter() - self._started
