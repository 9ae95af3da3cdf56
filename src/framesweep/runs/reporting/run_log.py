"""Logs a run to the console, and tracks its config and results."""

import contextlib
import logging
import shutil
from pathlib import Path

from framesweep.config import RunConfig
from framesweep.config.command_line import compare_hint, resume_hint
from framesweep.config.composition import CONFIG_FILE, dump
from framesweep.config.plain import flatten
from framesweep.data.phones import NOTHING_TO_LEARN, describe_numbering
from framesweep.data.store.frame_store import FrameStore
from framesweep.data.windows import Windows
from framesweep.errors import TrackingError
from framesweep.evaluation.metrics import Evaluation
from framesweep.evaluation.predictor import WEIGHTS, write_metadata
from framesweep.evaluation.smoother_file import SMOOTHER, write_smoother
from framesweep.runs.experiment import Experiment, Smoothing
from framesweep.runs.reporting.advice import describe_next_run
from framesweep.runs.reporting.history import REPORT_FOLDER, History, write_history
from framesweep.runs.reporting.tracked_params import derived_params, select_params
from framesweep.sweeps.context import SweepContext
from framesweep.system.atomic_files import atomic_file, write_text
from framesweep.system.cgroups import memory_limit
from framesweep.system.drawing.matplotlib_backend import import_matplotlib
from framesweep.tracking import CONFIG_HASH_TAG, Tracker, hash_config
from framesweep.tracking.models import description
from framesweep.training.checkpoints import BEST, CHECKPOINT_FOLDER
from framesweep.training.state import TrainingState

log = logging.getLogger(__name__)

MODEL_FOLDER = description.MODEL_FOLDER
"""Name of the folder in the directory of a run with its network."""


def log_setup(experiment: Experiment) -> None:
    """Log the sizes of the data and of the network, and the device."""
    store, config, resources = (
        experiment.store,
        experiment.config,
        experiment.components.hardware,
    )
    log.info(describe_store(store, config.data.frame_shift_ms))
    log.info(
        "network: %s, %s parameters, context %d; %s on %s, %s%d %s",
        "-".join(str(width) for width in experiment.widths) or "no hidden layers",
        f"{experiment.num_params:,}",
        config.data.context,
        resources.precision,
        resources.device,
        f"{num_ranks} processes of "
        if (num_ranks := experiment.components.process_group.size) > 1
        else "",
        resources.threads,
        "thread" if resources.threads == 1 else "threads",
    )
    log.info(describe_numbering(store.phones))
    if len(store.phones) == 1:
        log.warning("%s", NOTHING_TO_LEARN)
    _warn_of_memory(experiment)


def describe_store(store: FrameStore, frame_shift_ms: float) -> str:
    """Return one line with the frames and minutes of each split and the number of phones."""
    minutes = frame_shift_ms / 60_000
    sizes = ", ".join(
        f"{name} {split.num_frames:,} frames ({split.num_frames * minutes:.1f} min)"
        for name, split in store.splits.items()
    )
    return f"{store.name}: {sizes}; {store.phones.size_in_words}"


def _warn_of_memory(experiment: Experiment) -> None:
    """Log a warning if the train split does not fit into memory, which makes training slow."""
    config, rows = experiment.config, experiment.store.splits["train"].rows
    on_cpu = experiment.components.hardware.device.type == "cpu"
    if not on_cpu or config.train.order == "windows":
        return
    if rows.nbytes <= (allowed := memory_limit()):
        return
    log.warning(
        "the train split needs %.1f GB, but only %.1f GB of memory are available: %s",
        rows.nbytes / 1e9,
        allowed / 1e9,
        # A network that is trained on chunks has no other order.
        "train.order=windows reads it in large blocks"
        if isinstance(experiment.train, Windows)
        else "most chunks will be read from disk",
    )


def track_config(
    tracker: Tracker, experiment: Experiment, directory: Path, sweep: SweepContext
) -> None:
    """Track the params, the whole config as an artifact, and the data."""
    config, store = experiment.config, experiment.store
    tracker.log_params({**sweep.to_params(), **select_params(experiment, sweep)})
    everything = {**flatten(config), **derived_params(experiment)}
    tracker.log_tags({CONFIG_HASH_TAG: hash_config(everything)})
    tracker.log_artifact(directory / CONFIG_FILE)
    tracker.log_dataset(
        store.name,
        store.digest,
        root=config.data.root,
        feature_dim=store.feature_dim,
        splits={
            name: {"num_utterances": len(split.lengths), "num_frames": split.num_frames}
            for name, split in store.splits.items()
        },
    )


def write_results(
    experiment: Experiment,
    state: TrainingState,
    evaluation: Evaluation,
    smoothing: Smoothing | None,
    directory: Path,
) -> None:
    """Write the report, and the best network with everything that prediction needs."""
    # Matplotlib takes seconds to import and is not needed before.
    import_matplotlib()
    from framesweep.evaluation.report import write_report

    write_report(
        directory / REPORT_FOLDER,
        state.history,
        evaluation.confusion,
        experiment.store.phones,
        best_epoch=state.best_epoch,
    )
    write_history(directory, History(state.history, state.best_epoch))
    folder = directory / MODEL_FOLDER
    folder.mkdir(exist_ok=True)
    write_metadata(folder, experiment.store, experiment.config.data)
    write_text(folder / CONFIG_FILE, dump(experiment.config))
    _write_summary(experiment, state, folder)
    # Before a run was resumed, it may have had a smoother.
    (folder / SMOOTHER).unlink(missing_ok=True)
    if smoothing is not None:
        write_smoother(folder, smoothing.smoother)
    # A copy, not a link: damage to one file must leave the other as it is.
    with atomic_file(folder / WEIGHTS) as temporary:
        shutil.copyfile(directory / CHECKPOINT_FOLDER / BEST, temporary)


def _write_summary(experiment: Experiment, state: TrainingState, folder: Path) -> None:
    """Write what people want to know about the training of a model."""
    store = experiment.store
    description.write_summary(
        folder,
        corpus=store.name,
        frames={name: split.num_frames for name, split in store.splits.items()},
        widths=experiment.widths,
        num_params=experiment.num_params,
        context=experiment.config.data.context,
        epoch=state.best_epoch,
        metrics=state.history[state.best_epoch - 1],
    )


def track_results(
    tracker: Tracker,
    experiment: Experiment,
    state: TrainingState,
    directory: Path,
    *,
    in_sweep: bool,
) -> None:
    """Track the best epoch, its weights, the report and maybe the model."""
    tracker.log_tags({"best_epoch": str(state.best_epoch)})
    for path in sorted((directory / REPORT_FOLDER).iterdir()):
        tracker.log_artifact(path, REPORT_FOLDER)
    tracker.log_artifact(directory / MODEL_FOLDER / WEIGHTS)
    config = experiment.config.tracking
    if config.log_model or (config.log_model is None and not in_sweep):
        tracker.log_model(directory / MODEL_FOLDER, experiment.store.feature_dim)
    if config.register is not None and not in_sweep:  # of a sweep, only the winner
        tracker.register_model(config.register)


def log_resume_hint(tracker: Tracker, config: RunConfig, directory: Path) -> None:
    """Log the command that resumes the run, which has an id once it is open."""
    with contextlib.suppress(TrackingError):
        tracker.require_open(wait=True)
    log.info("stopped; resume with: %s", resume_hint(config, directory, tracker.run_id))


def log_summary(
    experiment: Experiment,
    state: TrainingState,
    directory: Path,
    run_id: str | None,
    *,
    in_sweep: bool = False,
) -> None:
    """Log the results, their directory, how to compare runs, and what to try next."""
    objective = experiment.config.objective
    speed = sum(m["train/frames_per_second"] for m in state.history) / len(state.history)
    log.info(
        "best %s %.4f (epoch %d), final dev accuracy %.4f, %s frames/s",
        objective,
        state.best(objective),
        state.best_epoch,
        state.history[-1]["dev/accuracy"],
        f"{speed:,.0f}",
    )
    best = state.history[state.best_epoch - 1]
    if "dev/smoothed_accuracy" in best:
        log.info("dev accuracy after Viterbi smoothing: %.4f", best["dev/smoothed_accuracy"])
    log.info("files: %s", _shorten(directory))
    average = experiment.components.average
    if average is not None and average.model is None:
        log.warning("train.average=swa had no effect: training ended before averaging started")
    if run_id is not None:
        log.info("run: %s   compare runs with: %s", run_id, compare_hint(experiment.config))
    dim = experiment.store.feature_dim
    advice = describe_next_run(experiment.config, state.history, state.best_epoch, dim)
    if advice is not None and not in_sweep:
        log.info("%s", advice)


def _shorten(directory: Path) -> Path:
    """Return a directory relative to the working directory, if it is inside of that."""
    cwd = Path.cwd()
    return directory.relative_to(cwd) if directory.is_relative_to(cwd) else directory
