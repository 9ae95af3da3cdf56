"""Predictions of trained runs for whole splits: of a single run, or of an ensemble."""

import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from framesweep.catalog.directories import TRAINED_MODEL, require_run_directory
from framesweep.config import Hw1p2Config, Hw1p2FoldersConfig, RunConfig
from framesweep.config.command_line import finish_hint
from framesweep.config.composition import CONFIG_FILE, load
from framesweep.config.paths import follow_move
from framesweep.data.corpus import Array
from framesweep.data.store.frame_store import FrameStore
from framesweep.data.store.run_store import open_frame_store
from framesweep.data.store_budget import StoreBudget
from framesweep.data.train_share import take_train_share
from framesweep.data.windows import Windows
from framesweep.errors import CheckpointError, DataError, moved_data
from framesweep.evaluation.evaluate import (
    BATCH_FRAMES,
    compute_log_posteriors,
    evaluate,
    measure,
)
from framesweep.evaluation.metrics import Evaluation
from framesweep.evaluation.phone_chain import Chain
from framesweep.evaluation.predictor import WEIGHTS, build_network
from framesweep.evaluation.smoother_file import average_chains, read_smoother
from framesweep.evaluation.viterbi import (
    MIN_PROBABILITY,
    Smoother,
    count_train_chain,
    tune_smoother,
)
from framesweep.runs.ensembles.same_data import require_same_corpus
from framesweep.runs.reporting.run_log import MODEL_FOLDER
from framesweep.system.hardware import Hardware, resolve_hardware
from framesweep.training.checkpoints import BEST, CHECKPOINT_FOLDER
from framesweep.training.weight_files import load_weights

log = logging.getLogger(__name__)

MOVED_FIX = "If the data is elsewhere now, pass --set data.root=FOLDER."
"""What to do where a run's data is not found any more."""


@dataclass(frozen=True, slots=True)
class TrainedRun:
    """The network of the best epoch of a run, on its device, and the frame store."""

    directory: Path
    config: RunConfig
    store: FrameStore
    model: nn.Module
    hardware: Hardware

    def require_split(self, split: str) -> None:
        """Raise DataError if the corpus has no such split."""
        if split in self.store.splits:
            return
        data = self.config.data
        if split == "test" and isinstance(data, Hw1p2Config):
            rule = "must contain test.npy or test.npy.zip, the utterances to predict"
            raise DataError(data.root, rule, fix=f"Copy it there. {MOVED_FIX}")
        if split == "test" and isinstance(data, Hw1p2FoldersConfig):
            rule = f"must contain the folder {data.test_partition}/mfcc, the utterances of test"
            fix = (
                "Copy it there, or pass --set data.test_partition=NAME if it has another name."
            )
            raise DataError(data.root, rule, fix=fix)
        raise DataError(
            self.store.name, f"must have a split {split}", found=list(self.store.splits)
        )

    def open_windows(self, split: str) -> Windows:
        """Return the windows of a split; raise DataError if the corpus has no such split."""
        self.require_split(split)
        hardware, context = self.hardware, self.config.data.context
        budget = StoreBudget(hardware.device, self.config.hardware.max_store_gib)
        return budget.open_windows(self.store.splits[split], context, hardware.input_dtype)

    def compute_posteriors(self, split: str) -> Tensor:
        """Return (N, C) float32 probabilities on the CPU, in the order of the frames."""
        windows, num_classes = self.open_windows(split), len(self.store.phones)
        return compute_log_posteriors(self.model, windows, self.hardware, num_classes).exp_()


def count_params(run: TrainedRun) -> int:
    """Return the number of parameters of the network of a run."""
    return sum(parameter.numel() for parameter in run.model.parameters())


def has_model(directory: Path) -> bool:
    """Return whether a run has finished and its network still exists."""
    return (directory / TRAINED_MODEL).exists()


def require_model(directory: Path) -> Path:
    """Return the folder of a run's trained network; raise CheckpointError without one."""
    require_run_directory(directory)
    if not has_model(directory):
        raise CheckpointError(
            directory,
            f"must contain {TRAINED_MODEL}",
            fix="Resume the run until it finishes, or finish it with the epochs that it has: "
            + finish_hint(directory),
        )
    return directory / MODEL_FOLDER


def load_trained_run(directory: Path, overrides: Sequence[str] = ()) -> TrainedRun:
    """Load the best network of the run in `directory`, and open its frame store.

    Args:
        directory: The directory of the run.
        overrides: `key=value` changes of its config, as another `data.root`.

    Raises:
        CheckpointError: if the run has not finished, or its files are damaged.
        DataError: if its corpus cannot be read.
    """
    folder = require_model(directory)
    config = load((folder / CONFIG_FILE).read_text(encoding="utf-8"), list(overrides), folder)
    follow_move(config, directory)
    hardware = resolve_hardware(replace(config.hardware, processes=1))
    with moved_data(MOVED_FIX):
        store = open_frame_store(config)
    model = hardware.place(build_network(config, store.feature_dim, len(store.phones)))
    best = directory / CHECKPOINT_FOLDER / BEST
    fix = f"Copy {best} over it, which holds the same weights." if best.exists() else ""
    load_weights(model, folder / WEIGHTS, fix)
    return TrainedRun(directory, config, store, model, hardware)


def list_distinct(runs: Sequence[TrainedRun]) -> list[TrainedRun]:
    """Return the runs without repetitions, in the order in which each first appears."""
    return list({run.directory: run for run in runs}.values())


def average_posteriors(runs: Sequence[TrainedRun], split: str) -> Tensor:
    """Return (N, C) probabilities, averaged over runs; one that is named twice counts twice.

    Raises:
        DataError: if the runs were trained on different corpora.
    """
    for run in runs:
        require_same_corpus(run, runs[0])
    weights = Counter(run.directory for run in runs)
    first, *others = list_distinct(runs)
    total = first.compute_posteriors(split) * weights[first.directory]
    for run in others:
        total.add_(run.compute_posteriors(split), alpha=weights[run.directory])
    return total / len(runs)


def evaluate_runs(runs: Sequence[TrainedRun], split: str) -> Evaluation:
    """Evaluate a run, or an ensemble of several, on a labelled split.

    The runs of an ensemble may have different contexts; the edge frames are those of the first.

    Raises:
        DataError: if the split has no labels, or as `average_posteriors`.
    """
    first = runs[0]
    windows, hardware, phones = first.open_windows(split), first.hardware, first.store.phones
    if not windows.labelled:
        raise DataError(
            f"{first.store.name} {split}",
            "must have labels to be evaluated",
            fix="Use framesweep predict, which needs none.",
        )
    if len(runs) == 1:
        return evaluate(first.model, windows, hardware, phones)
    posteriors = average_posteriors(runs, split).clamp_(min=MIN_PROBABILITY)
    logits = posteriors.log_().to(windows.device)
    return measure(_in_batches(logits), windows, hardware, phones)


def _in_batches(logits: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    frames = torch.arange(len(logits), device=logits.device)
    for start in range(0, len(logits), BATCH_FRAMES):
        part = slice(start, start + BATCH_FRAMES)
        yield frames[part], logits[part]


def predict_smoothed(runs: Sequence[TrainedRun], split: str) -> Array:
    """Return (N,) phone ids of a split after Viterbi smoothing along each utterance.

    The smoother of a single run is that of its model, if it was stored with one. Otherwise the
    phone bigram is counted on what was trained on, and its weight is tuned on dev.
    """
    first, path = runs[0], None
    smoother = _read_smoother(first) if len(list_distinct(runs)) == 1 else None
    if smoother is None:
        smoother, path = _tune(runs)
    if smoother.strength.transition == 0:
        log.info("smoothing changes nothing: no strength makes dev more accurate")
    if path is not None and split == "dev":
        return path
    smoother = replace(smoother, device=first.hardware.device)
    return smoother(_log_posteriors(runs, split), first.store.splits[split].lengths)


def tune_for(runs: Sequence[TrainedRun]) -> Smoother:
    """Return the smoother of a run or an ensemble, tuned on dev; its device is the CPU."""
    smoother, _ = _tune(runs)
    return replace(smoother, device=torch.device("cpu"))


def _tune(runs: Sequence[TrainedRun]) -> tuple[Smoother, Array]:
    """Return a smoother that was tuned on dev, and (N,) phone ids of dev by it."""
    chain, first = average_chains([_find_chain(run) for run in runs]), runs[0]
    dev, log_posteriors = first.store.splits["dev"], _log_posteriors(runs, "dev")
    return tune_smoother(chain, dev, log_posteriors, first.hardware.device)


def _read_smoother(run: TrainedRun) -> Smoother | None:
    return read_smoother(run.directory / MODEL_FOLDER, len(run.store.phones))


def _find_chain(run: TrainedRun) -> Chain:
    """Return the chain of phones of the utterances that a run was trained on."""
    if (smoother := _read_smoother(run)) is not None:
        return smoother.chain
    config = run.config
    store, _ = take_train_share(run.store, config.data, config.train.epochs, config.seed)
    return count_train_chain(store)


def _log_posteriors(runs: Sequence[TrainedRun], split: str) -> Array:
    probabilities: Array = average_posteriors(runs, split).numpy()
    return np.asarray(np.log(np.maximum(probabilities, MIN_PROBABILITY)))
