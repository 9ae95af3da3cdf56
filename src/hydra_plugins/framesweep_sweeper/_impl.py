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
from hydra_plugins.framesweep_sweeper._identity import begin, choose_name, identify, name_from
from hydra_plugins.framesweep_sweeper._launching import open_pool
from hydra_plugins.framesweep_sweeper._ledger import ENDED, Claim, Ledger
from hydra_plugins.framesweep_sweeper._lock import StorageLock
from hydra_plugins.framesweep_sweeper._pool import Job
from hydra_plugins.framesweep_sweeper._progress import Progress, open_progress
from hydra_plugins.framesweep_sweeper._results import RESULTS, value_text, write_results
from hydra_plugins.framesweep_sweeper._sampling import (
    build_pruner,
    build_sampler,
    grid_size,
)
from hydra_plugins.framesweep_sweeper._settings import (
    Listener,
    Status,
    check,
    check_objectives,
    custom_suggestions,
    open_listener,
    plain_dict,
    read_directions,
    unless_broken,
)
from hydra_plugins.framesweep_sweeper._signals import StopSignal, noting_signals
from hydra_plugins.framesweep_sweeper._space import SearchSpace, read_space
from hydra_plugins.framesweep_sweeper._storage import (
    Heart,
    absolute,
    check_driver,
    open_storage,
)
from hydra_plugins.framesweep_sweeper._sweep import Rules, Sweep
from hydra_plugins.framesweep_sweeper._task import SERIAL_VARIABLE, TrialTask

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
    check(settings)
    space = read_space(plain_dict(settings["params"]), arguments)
    make_sampler = partial(build_sampler, settings["sampler"], space)
    total = int(min(settings["n_trials"], grid_size(make_sampler(0), space)))
    make_job = partial(prepare, space, hydra_context, config, custom_suggestions(settings))
    pruner, heartbeat = plain_dict(settings["pruner"]), settings["heartbeat"]
    url = absolute(settings["storage"], config.hydra.runtime.cwd)
    check_driver(url)
    lock, listener = StorageLock(url), open_listener(settings["listener"])
    check_objectives(listener, settings["direction"], config)
    with lock.held():
        storage = open_storage(url, heartbeat)
        study = open_study(settings, storage, space, config)
    trial_task = TrialTask(task, url, study.study_name, pruner, heartbeat)
    pool = open_pool(settings["n_jobs"], hydra_context, trial_task, config)
    ledger = Ledger(study, storage, lock, make_sampler, settings["retries"], heartbeat)
    # What can fail has been made: whoever is told of the start is told of the end.
    with lock.held():
        listener.on_start(study, config)
    progress, heart = open_progress(), Heart(storage, heartbeat)
    told = partial(unless_broken, listener.on_trial_end, study)
    sweep = Sweep(ledger, pool, heart, progress, _rules(settings, total), make_job, told)
    return _follow(sweep, ledger, listener, progress, total, config)


def _rules(settings: dict[str, Any], total: int) -> Rules:
    known = {f.name: settings[f.name] for f in fields(Rules)}
    return Rules(**known | {"n_trials": total})


def _follow(
    sweep: Sweep,
    ledger: Ledger,
    listener: Listener,
    progress: Progress,
    total: int,
    config: DictConfig,
) -> int:
    study = ledger.study
    done = sum(ledger.counts()[state] for state in ENDED)
    progress.say(f"study {study.study_name}: {min(done, total)} of {total} trials are done")
    status: Status = "FAILED"
    with noting_signals() as stop:
        try:
            sweep.run(stop)
            status = "KILLED" if stop.signum else "FINISHED"
        finally:
            progress.close()
            path = Path(config.hydra.sweep.dir, RESULTS)
            best = write_results(study, path)
            unless_broken(listener.on_end, study, status)
    _conclude(ledger, best, path, progress, stop)
    return stop.signum


def open_study(
    settings: dict[str, Any], storage: BaseStorage, space: SearchSpace, config: DictConfig
) -> Study:
    """Finds or makes the study, and gives its name to the config of every job."""
    pruner = build_pruner(plain_dict(settings["pruner"]))
    directions = read_directions(settings["direction"])
    identity = identify(space, directions, list(settings["free_overrides"]))
    given = settings["study_name"]
    try:
        name = choose_name(storage, identity, given, name_from(space), settings["new"])
    except SweepError as error:
        hint = f"{_key_of_new(config)}=true or another hydra.sweeper.study_name begins afresh"
        raise SweepError(f"{error}\n{hint}") from None
    begin(storage, name, identity)
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


def prepare(
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
    ledger: Ledger, best: list[FrozenTrial], path: Path, progress: Progress, stop: StopSignal
) -> None:
    """Says the result, or why there is none."""
    name, counts = ledger.study.study_name, ledger.counts()
    if stop.signum:
        progress.say(f"study {name}: stopped; the same command goes on with it")
    elif not best:
        raise FailedSweepError(
            f"study {name}: no trial completed ({counts[TrialState.PRUNED]} pruned, "
            f"{counts[TrialState.FAIL]} failed; last failure: {ledger.last_failure()})"
        )
    else:
        ended = sum(counts[state] for state in ENDED)
        progress.say(f"study {name}: {ended} trials are done; results in {path}")
        for trial in best:
            params = " ".join(f"{k}={v}" for k, v in trial.params.items())
            progress.say(f"best: {value_text(trial)} (trial {trial.number}) with {params}")
