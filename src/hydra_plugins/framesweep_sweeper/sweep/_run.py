"""From the settings of `hydra.sweeper` to a finished study."""

import re
from collections.abc import Callable
from dataclasses import fields
from functools import partial
from pathlib import Path
from typing import Any

import optuna
from hydra.core.override_parser.types import Quote, QuotedString
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf, open_dict, read_write
from optuna.storages import BaseStorage
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from hydra_plugins.framesweep_sweeper._errors import FailedSweepError, SweepError
from hydra_plugins.framesweep_sweeper.search._samplers import (
    build_pruner,
    build_sampler,
    count_grid_points,
)
from hydra_plugins.framesweep_sweeper.search._space import SearchSpace, read_space
from hydra_plugins.framesweep_sweeper.search._study_identity import (
    build_identity,
    choose_name,
    create_study_if_missing,
    derive_name,
)
from hydra_plugins.framesweep_sweeper.storage._heartbeats import HeartbeatThread
from hydra_plugins.framesweep_sweeper.storage._lock import StorageLock
from hydra_plugins.framesweep_sweeper.storage._storage import (
    check_driver,
    make_absolute,
    open_storage,
)
from hydra_plugins.framesweep_sweeper.sweep._listener import (
    Listener,
    Status,
    build_listener,
    check_objectives,
    notify_safely,
)
from hydra_plugins.framesweep_sweeper.sweep._loop import LoopSettings, SweepLoop
from hydra_plugins.framesweep_sweeper.sweep._progress import (
    ProgressDisplay,
    open_progress_display,
)
from hydra_plugins.framesweep_sweeper.sweep._results import (
    RESULTS,
    format_values,
    write_results,
)
from hydra_plugins.framesweep_sweeper.sweep._settings import (
    check_settings,
    load_custom_search_space,
    read_directions,
    to_plain_dict,
)
from hydra_plugins.framesweep_sweeper.trials._claims import ENDED, Claim, TrialQueue
from hydra_plugins.framesweep_sweeper.workers._launchers import open_pool
from hydra_plugins.framesweep_sweeper.workers._pool import Job
from hydra_plugins.framesweep_sweeper.workers._signals import StopSignal, catch_stop_signals
from hydra_plugins.framesweep_sweeper.workers._task import SERIAL_VARIABLE, TrialTask

OVERRIDES = "overrides"
"""Attribute of a trial: the application's overrides that make its config."""


def run_sweep(
    settings: dict[str, Any],
    hydra_context: HydraContext,
    task: TaskFunction,
    config: DictConfig,
    arguments: list[str],
) -> int:
    """Brings a study to its total; gives the signal that ended the sweep early, else 0.

    Raises:
        SweepError: a setting is wrong, or the command contradicts its study.
        FailedSweepError: too many trials failed, or none was completed.
    """
    check_settings(settings)
    space = read_space(to_plain_dict(settings["params"]), arguments)
    make_sampler = partial(build_sampler, settings["sampler"], space)
    total = int(min(settings["n_trials"], count_grid_points(make_sampler(0), space)))
    make_job = partial(
        prepare_job, space, hydra_context, config, load_custom_search_space(settings)
    )
    pruner, heartbeat = to_plain_dict(settings["pruner"]), settings["heartbeat"]
    url = make_absolute(settings["storage"], config.hydra.runtime.cwd)
    check_driver(url)
    lock, listener = StorageLock(url), build_listener(settings["listener"])
    check_objectives(listener, settings["direction"], config)
    with lock.hold():
        storage = open_storage(url, heartbeat)
        study = open_study(settings, storage, space, config)
    trial_task = TrialTask(task, url, study.study_name, pruner, heartbeat)
    pool = open_pool(settings["n_jobs"], hydra_context, trial_task, config)
    queue = TrialQueue(study, storage, lock, make_sampler, settings["retries"], heartbeat)
    # What can fail has been made: whoever is told of the start is told of the end.
    with lock.hold():
        listener.on_start(study, config)
    progress, heartbeats = open_progress_display(), HeartbeatThread(storage, heartbeat)
    told = partial(notify_safely, listener.on_trial_end, study)
    sweep = SweepLoop(
        queue, pool, heartbeats, progress, _rules(settings, total), make_job, told
    )
    return _follow(sweep, queue, listener, progress, total, config)


def _rules(settings: dict[str, Any], total: int) -> LoopSettings:
    known = {f.name: settings[f.name] for f in fields(LoopSettings)}
    return LoopSettings(**known | {"n_trials": total})


def _follow(
    sweep: SweepLoop,
    queue: TrialQueue,
    listener: Listener,
    progress: ProgressDisplay,
    total: int,
    config: DictConfig,
) -> int:
    study = queue.study
    done = sum(queue.counts()[state] for state in ENDED)
    progress.log(f"study {study.study_name}: {min(done, total)} of {total} trials are done")
    status: Status = "FAILED"
    with catch_stop_signals() as stop:
        try:
            sweep.run(stop)
            status = "KILLED" if stop.signum else "FINISHED"
        finally:
            progress.close()
            path = Path(config.hydra.sweep.dir, RESULTS)
            best = write_results(study, path)
            notify_safely(listener.on_end, study, status)
    _conclude(queue, best, path, progress, stop)
    return stop.signum


def open_study(
    settings: dict[str, Any], storage: BaseStorage, space: SearchSpace, config: DictConfig
) -> Study:
    """Finds or makes the study, and gives its name to the config of every job."""
    pruner = build_pruner(to_plain_dict(settings["pruner"]))
    directions = read_directions(settings["direction"])
    identity = build_identity(space, directions, list(settings["free_overrides"]))
    given = settings["study_name"]
    try:
        name = choose_name(storage, identity, given, derive_name(space), settings["new"])
    except SweepError as error:
        hint = f"{_key_of_new(config)}=true or another hydra.sweeper.study_name begins afresh"
        raise SweepError(f"{error}\n{hint}") from None
    create_study_if_missing(storage, name, identity)
    quoted = QuotedString(name, Quote.single).with_quotes()
    with read_write(config.hydra), open_dict(config.hydra):
        config.hydra.sweeper.study_name = name
        config.hydra.overrides.hydra.append(f"hydra.sweeper.study_name={quoted}")
    return optuna.load_study(study_name=name, storage=storage, pruner=pruner)


def _key_of_new(config: DictConfig) -> str:
    """What the user types for `hydra.sweeper.new`: the application may have its own key."""
    raw = OmegaConf.to_container(config.hydra.sweeper, resolve=False)
    match = re.fullmatch(r"\$\{([\w.]+)\}", str(raw["new"]))  # type: ignore[index, call-overload]
    return match.group(1) if match else "hydra.sweeper.new"


def prepare_job(
    space: SearchSpace,
    hydra_context: HydraContext,
    config: DictConfig,
    custom: Callable[[DictConfig, Any], Any] | None,
    claim: Claim,
) -> Job:
    """Suggests the trial's parameters and composes its job's config."""
    choices = config.hydra.runtime.choices

    def default_of(key: str) -> Any:
        return choices[key] if key in choices else OmegaConf.select(config, key)

    overrides = space.suggest(claim.trial, default_of)
    if custom is not None:
        before = set(claim.trial.params)
        custom(config, claim.trial)
        added = claim.trial.params.items()
        overrides += [f"{key}={value}" for key, value in added if key not in before]
    claim.trial.set_user_attr(OVERRIDES, overrides)
    overrides = [*overrides, f"++hydra.job.env_set.{SERIAL_VARIABLE}='{claim.serial}'"]
    job_config = hydra_context.config_loader.load_sweep_config(config, overrides)
    with open_dict(job_config):
        job_config.hydra.job.id = str(claim.number)
        job_config.hydra.job.num = claim.number
    return Job(claim.number, overrides, job_config)


def _conclude(
    queue: TrialQueue,
    best: list[FrozenTrial],
    path: Path,
    progress: ProgressDisplay,
    stop: StopSignal,
) -> None:
    """Says the result, or why there is none."""
    name, counts = queue.study.study_name, queue.counts()
    if stop.signum:
        progress.log(f"study {name}: stopped; the same command goes on with it")
    elif not best:
        raise FailedSweepError(
            f"study {name}: no trial completed ({counts[TrialState.PRUNED]} pruned, "
            f"{counts[TrialState.FAIL]} failed; last failure: {queue.last_failure()})"
        )
    else:
        ended = sum(counts[state] for state in ENDED)
        progress.log(f"study {name}: {ended} trials are done; results in {path}")
        for trial in best:
            params = " ".join(f"{k}={v}" for k, v in trial.params.items())
            progress.log(f"best: {format_values(trial)} (trial {trial.number}) with {params}")
