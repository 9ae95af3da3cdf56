"""Runs a training from its config to the value of its objective, and resumes stopped runs."""

import logging
from dataclasses import replace
from pathlib import Path

from framesweep.catalog.directories import is_sweep, require_directory
from framesweep.config import RunConfig
from framesweep.config.command_line import refuse_resume, refuse_sweep
from framesweep.config.composition import CONFIG_FILE, dump, load
from framesweep.config.paths import follow_move
from framesweep.config.plain import flatten
from framesweep.distributed.collectives import ProcessGroup
from framesweep.distributed.launch import open_process_group, resolve_processes
from framesweep.errors import CheckpointError, ConfigError, moved_data
from framesweep.evaluation.metrics import Evaluation
from framesweep.runs.callback import RunCallback
from framesweep.runs.early_end import log_early_end
from framesweep.runs.experiment import Experiment, Smoothing, build_experiment
from framesweep.runs.identity import effect_in
from framesweep.runs.memory import released_memory
from framesweep.runs.reporting.history import REPORT_FOLDER
from framesweep.runs.reporting.run_log import (
    log_setup,
    log_summary,
    track_config,
    track_results,
    write_results,
)
from framesweep.runs.reporting.run_name import name_run
from framesweep.runs.train_data import with_recorded_order
from framesweep.runs.validation import validate_across_groups
from framesweep.sweeps.context import SweepContext, find_sweep_context, list_choices
from framesweep.system.atomic_files import write_text
from framesweep.system.locks.ownership import Ownership, own
from framesweep.system.signals import StopRequest, stop_request
from framesweep.tracking import (
    Tracker,
    find_run_directory,
    log_system_metrics,
    open_tracker,
    require_packages,
    require_psutil,
)
from framesweep.training.checkpoints import BEST, CHECKPOINT_FOLDER
from framesweep.training.state import TrainingState
from framesweep.training.weight_files import load_weights
from hydra_plugins.framesweep_sweeper import (
    current_trial,
    record_metrics,
    require_owned,
)

log = logging.getLogger(__name__)


def run(config: RunConfig, directory: Path, *, in_sweep: bool = False) -> float | list[float]:
    """Train in `directory`, from the checkpoint there if there is one, and record the results.

    Args:
        config: The complete config.
        directory: The directory of the run, which is created if necessary.
        in_sweep: Whether the run is part of a sweep.

    Returns:
        The objective in the best epoch; a list if there are `further_objectives`.

    Raises:
        UserError: if the config, the data or a checkpoint is invalid, or if another process
            trains in the directory.
        NonFiniteLossError, Interrupted, RankLostError, TrialPruned: if the run ends early.
        SupersededError, OwnershipLostError: if another process has taken over the run.
    """
    config = replace(config, hardware=resolve_processes(config.hardware))
    validate_across_groups(config)
    require_packages(config.tracking.also)
    require_psutil(config.tracking)
    trial = current_trial()
    claim = trial.token if trial is not None else 0
    with (
        released_memory(config, in_sweep=in_sweep),
        own(directory, claim) as ownership,
        open_process_group(config.hardware) as process_group,
    ):
        return _run(config, directory, ownership, process_group, in_sweep=in_sweep)


def _run(
    config: RunConfig,
    directory: Path,
    ownership: Ownership,
    process_group: ProcessGroup,
    *,
    in_sweep: bool,
) -> float | list[float]:
    experiment = build_experiment(with_recorded_order(config, directory), process_group)
    config = experiment.config
    log_setup(experiment)
    sweep = find_sweep_context()
    name = name_run(config, sweep)
    # A run of several processes starts them only once it is certain to be tracked. A run of a
    # sweep may be taken over by another process, which must find its MLflow run. Any other run
    # opens it while training, because to import MLflow takes seconds.
    wait = in_sweep or process_group.size > 1
    tracker = _open_tracker(config, directory, sweep, name, wait=wait)
    load = log_system_metrics(tracker, config.tracking, directory)
    with stop_request() as stop, tracker, load:
        config_text = dump(config)
        write_text(directory / CONFIG_FILE, config_text)
        with log_early_end(tracker, ownership, config, name):
            track_config(tracker, experiment, directory, sweep)
            # The workers build the same experiment from the text. They can do so only now that
            # rank 0 has prepared the data.
            process_group.start(config_text, experiment.components.hardware.device)
            state = _fit(experiment, directory, tracker, stop)
            require_owned()
            evaluation, smoothing = _evaluate_best(experiment, directory, state, tracker)
            write_results(experiment, state, evaluation, smoothing, directory)
            if not in_sweep:
                _write_page(directory, name, tracker)
            track_results(tracker, experiment, state, directory, in_sweep=in_sweep)
            require_owned()
        run_id = tracker.run_id
    log_summary(experiment, state, directory, run_id, in_sweep=in_sweep)
    return _conclude(experiment, state)


def _open_tracker(
    config: RunConfig, directory: Path, sweep: SweepContext, name: str, *, wait: bool
) -> Tracker:
    return open_tracker(
        replace(config.tracking, run_name=name),
        Path(config.outputs),
        directory,
        parent_run_id=sweep.parent_run_id,
        tags=sweep.tags,
        wait=wait,
    )


def _write_page(directory: Path, name: str, tracker: Tracker) -> None:
    from framesweep.runs.reporting.run_page import PAGE, build_run_page

    page = build_run_page(directory, name, tracker.run_id, list_choices())
    page.write(directory / REPORT_FOLDER / PAGE)


def resume(
    run_id: str, overrides: list[str], uri: str | None, outputs: Path
) -> float | list[float]:
    """Resume a run in its own directory with its own config.

    Args:
        run_id: The MLflow id of the run, or its directory.
        overrides: `key=value` changes of keys that do not affect the steps already trained.
        uri: The tracking URI; None for the default.
        outputs: The directory of all runs.

    Returns:
        The objective, as `run`.

    Raises:
        TrackingError: if there is no such run.
        ConfigError: if an override changes a key that affects the steps already trained, or is
            the flag of a sweep.
        UserError: as `run`.
    """
    if {"-m", "--multirun"} & set(overrides):
        refuse_resume(run_id)
    sweeps = {path.name: path for path in (outputs / "sweeps").glob("*")}
    directory = sweeps.get(run_id) or find_run_directory(run_id, uri, outputs)
    path = directory / CONFIG_FILE
    require_directory(directory)
    if is_sweep(directory):
        refuse_sweep(directory)
    if not path.exists():
        raise CheckpointError(path, "must exist for the run to be resumed")
    text = path.read_text(encoding="utf-8")
    config = load(text, overrides, path)
    _require_same_steps(load(text, [], path), config)
    if not any(override.startswith("outputs=") for override in overrides):
        follow_move(config, directory)
    with moved_data("If the data is elsewhere now, add data.root=FOLDER."):
        return run(config, directory)


def _require_same_steps(recorded: RunConfig, config: RunConfig) -> None:
    """Raise ConfigError if the steps that a run has trained would be others with `config`."""
    before = flatten(recorded)
    for key, value in flatten(config).items():
        if effect_in(config, key) == "result" and value != before.get(key):
            raise ConfigError(
                key,
                "cannot change when a run is resumed, because it affects the steps before",
                found=value,
                fix=f"The run has {before.get(key)!r}; start a new run for another value.",
            )


def _fit(
    experiment: Experiment, directory: Path, tracker: Tracker, stop: StopRequest
) -> TrainingState:
    callback = RunCallback(experiment, tracker, stop)
    process_group = experiment.components.process_group
    try:
        checkpoints = experiment.checkpoints(directory / CHECKPOINT_FOLDER)
        state = experiment.fit(checkpoints, callback)
        tracker.require_open(wait=True)  # as after an epoch, of which there may be none left
        process_group.barrier()
        process_group.destroy()
        return state
    finally:
        callback.close()


def _evaluate_best(
    experiment: Experiment, directory: Path, state: TrainingState, tracker: Tracker
) -> tuple[Evaluation, Smoothing | None]:
    load_weights(experiment.components.evaluated, directory / CHECKPOINT_FOLDER / BEST)
    evaluation, smoothing = experiment.evaluate_smoothed()
    if smoothing is not None:
        state.history[state.best_epoch - 1] |= smoothing.metrics
        tracker.log_epoch(state.best_epoch, smoothing.metrics)
    return evaluation, smoothing


def _conclude(experiment: Experiment, state: TrainingState) -> float | list[float]:
    """Record the metrics for the search, and return the objective, or a list of several."""
    config = experiment.config
    # The constraints of a search, like its objective, are about the weights of the best epoch.
    best = state.history[state.best_epoch - 1]
    record_metrics({**best, "model/params": float(experiment.num_params)})
    values = [
        _objective_value(name, experiment, state)
        for name in (config.objective, *config.further_objectives)
    ]
    return values if config.further_objectives else values[0]


def _objective_value(name: str, experiment: Experiment, state: TrainingState) -> float:
    if name == "model/params":
        return float(experiment.num_params)
    return state.best(name)
