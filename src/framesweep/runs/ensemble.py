"""Trained runs over whole splits: posteriors of one, or of several averaged."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from framesweep.config import RunConfig
from framesweep.config.composition import CONFIG_FILE, load
from framesweep.data.corpus import Array
from framesweep.data.store.frame_store import FrameStore
from framesweep.data.windows import Windows
from framesweep.errors import CheckpointError, DataError
from framesweep.evaluation.evaluate import (
    BATCH_FRAMES,
    evaluate,
    log_posteriors,
    measure,
)
from framesweep.evaluation.metrics import Evaluation
from framesweep.evaluation.predictor import WEIGHTS, build_network
from framesweep.evaluation.viterbi import tuned_smoother
from framesweep.runs.experiment import open_frame_store
from framesweep.system.hardware import Hardware, resolve_hardware
from framesweep.training.checkpoints import load_weights

SMALLEST = 1e-30
"""Probabilities below this count as this where their logs are taken."""


@dataclass(frozen=True, slots=True)
class TrainedRun:
    """A run's best network on the device, and the store it reads."""

    directory: Path
    config: RunConfig
    store: FrameStore
    model: nn.Module
    hardware: Hardware

    def windows(self, split: str) -> Windows:
        """The windows of a split; raises DataError where the corpus has no such split."""
        if split not in self.store.splits:
            raise DataError(
                self.store.name, f"must have a split {split}", found=list(self.store.splits)
            )
        hardware, context = self.hardware, self.config.data.context
        return Windows(self.store.splits[split], context, hardware.device, hardware.input_dtype)

    def posteriors(self, split: str) -> Tensor:
        """(N, C) float32 probabilities on the CPU, frames in the split's order."""
        windows, num_classes = self.windows(split), len(self.store.phones)
        return log_posteriors(self.model, windows, self.hardware, num_classes).exp_()


def load_trained(directory: Path, overrides: Sequence[str] = ()) -> TrainedRun:
    """The best network of the run in `directory`, its config changed by `key=value` overrides.

    Raises:
        CheckpointError: the run has no finished epoch, or its files are damaged.
        DataError: its corpus cannot be read.
    """
    folder = directory / "model"
    if not (folder / WEIGHTS).exists():
        raise CheckpointError(
            directory, f"must hold model/{WEIGHTS}", fix="The run has no finished training yet."
        )
    config = load((folder / CONFIG_FILE).read_text(encoding="utf-8"), list(overrides), folder)
    hardware = resolve_hardware(replace(config.hardware, processes=1))
    store = open_frame_store(config)
    model = hardware.place(build_network(config, store.feature_dim, len(store.phones)))
    load_weights(model, folder / WEIGHTS)
    return TrainedRun(directory, config, store, model, hardware)


def ensemble_posteriors(runs: Sequence[TrainedRun], split: str) -> Tensor:
    """(N, C) probabilities averaged over runs.

    Raises:
        DataError: the runs were trained on different corpora.
    """
    for run in runs:
        if run.store.digest != runs[0].store.digest:
            raise DataError(
                run.directory,
                f"must be trained on the same data as {runs[0].directory}",
                fix="Average only runs of one corpus.",
            )
    total = runs[0].posteriors(split)
    for run in runs[1:]:
        total += run.posteriors(split)
    return total / len(runs)


def evaluate_runs(runs: Sequence[TrainedRun], split: str) -> Evaluation:
    """Measures a run on a split, or several averaged; edge frames are those of the first.

    Raises:
        DataError: the split's labels were kept back, or as `ensemble_posteriors`.
    """
    first = runs[0]
    windows, hardware, phones = first.windows(split), first.hardware, first.store.phones
    if not windows.labelled:
        raise DataError(
            f"{first.store.name} {split}",
            "must have labels to be evaluated",
            fix="framesweep predict works without labels.",
        )
    if len(runs) == 1:
        return evaluate(first.model, windows, hardware, phones)
    logits = ensemble_posteriors(runs, split).clamp_(min=SMALLEST).log_().to(windows.device)
    return measure(_in_batches(logits), windows, hardware, phones)


def _in_batches(logits: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    frames = torch.arange(len(logits), device=logits.device)
    for start in range(0, len(logits), BATCH_FRAMES):
        part = slice(start, start + BATCH_FRAMES)
        yield frames[part], logits[part]


def smoothed(runs: Sequence[TrainedRun], split: str) -> Array:
    """(N,) phone ids of a split, smoothed along each utterance by Viterbi's algorithm.

    The chain of phones is counted on train; how much it counts is tuned on dev, for these runs.
    """

    def posteriors(name: str) -> Array:
        probabilities: Array = ensemble_posteriors(runs, name).numpy()
        return np.asarray(np.log(np.maximum(probabilities, SMALLEST)))

    store = runs[0].store
    dev = posteriors("dev")
    smoother = tuned_smoother(store, dev)
    chosen = dev if split == "dev" else posteriors(split)
    return smoother(chosen, store.splits[split].lengths)
