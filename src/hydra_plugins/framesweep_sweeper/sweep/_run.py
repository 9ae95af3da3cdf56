"""From the settings of `hydra.sweeper` to a study that has its total.

Everything that can be wrong is checked before the study is opened, so that a wrong command
leaves nothing behind. Whatever fails after the listener was notified of the start, it is also
notified of the end, which closes what it has opened.
"""

from collections.abc import Callable
from dataclasses import fields
from functools import partial
from pathlib import Path
from typing import Any

from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial

from hydra_plugins.framesweep_sweeper._errors import FailedSweepError
from hydra_plugins.framesweep_sweeper._hydra import find_alias
from hydra_plugins.framesweep_sweeper.search._samplers import count_grid_points
from hydra_plugins.framesweep_sweeper.search._space import SearchSpace
from hydra_plugins.framesweep_sweeper.storage._heartbeats import HeartbeatThread
from hydra_plugins.framesweep_sweeper.storage._lock import StorageLock
from hydra_plugins.framesweep_sweeper.storage._storage import (
    check_driver,
    open_storage,
)
from hydra_plugins.framesweep_sweeper.sweep._job_plan import limit_jobs, plan_jobs, wrap_task
from hydra_plugins.framesweep_sweeper.sweep._jobs import prepare_job
from hydra_plugins.framesweep_sweeper.sweep._listener import (
    Listener,
    SweepStatus,
    build_listener,
    check_objectives,
    list_next_steps,
    notify_safely,
)
from hydra_plugins.framesweep_sweeper.sweep._loop import SweepLoop
from hydra_plugins.framesweep_sweeper.sweep._places import locate_storage, write_multirun
from hydra_plugins.framesweep_sweeper.sweep._progress import (
    ProgressDisplay,
    open_progress_display,
)
from hydra_plugins.framesweep_sweeper.sweep._results import (
    RESULTS,
    explain_no_best,
    format_values,
    write_results,
)
from hydra_plugins.framesweep_sweeper.sweep._sampling import SamplerPlan, plan_sampler
from hydra_plugins.framesweep_sweeper.sweep._search import (
    Search,
    prepare_search,
    print_search_preview,
    read_point_constraints,
    read_search,
)
from hydra_plugins.framesweep_sweeper.sweep._settings import (
    LoopSettings,
    build_search_end,
    check_settings,
)
from hydra_plugins.framesweep_sweeper.sweep._start import Start, begin_study, find_start
from hydra_plugins.framesweep_sweeper.sweep._study import open_study, select_space
from hydra_plugins.framesweep_sweeper.sweep._work_clock import WorkClock
from hydra_plugins.framesweep_sweeper.trials._claims import ENDED, TrialQueue
from hydra_plugins.framesweep_sweeper.trials._point_check import PointCheck
from hydra_plugins.framesweep_sweeper.workers._launchers import open_pool
from hydra_plugins.framesweep_sweeper.workers._signals import StopSignal, catch_stop_signals


def run_sweep(
    settings: dict[str, Any],
    hydra_context: HydraContext,
    task: TaskFunction,
    config: DictConfig,
    arguments: list[str],
) -> int:
    """Run trials until the study has its total.

    Returns:
        The signal that ended the sweep early, or 0.

    Raises:
        SweepError: a setting is wrong, or the command contradicts its study.
        FailedSweepError: too many trials failed, or none was completed.
    """
    check_settings(settings)
    search = read_search(settings, arguments)
    url = locate_storage(settings["storage"], search.spaces[0], config)
    check_driver(url)
    listener = _find_listener(settings, config)
    plan = plan_jobs(settings, config)
    find = partial(find_start, settings, hydra_context, config, search.sampler)
    if settings["preview"]:
        print_search_preview(settings, search, url, find, plan, hydra_context, config)
        return 0
    constraints, previewer = read_point_constraints(settings)
    prepare_search(settings, search, url, find, listener, hydra_context, config)
    plan_from = partial(plan_sampler, settings, hydra_context, config)
    queue, space, notes = _open_queue(settings, url, search, config, find, plan_from)
    check = PointCheck(queue.storage, constraints, previewer)
    end = build_search_end(settings)
    clock = WorkClock(queue.storage, queue.study_id, settings["heartbeat"])
    limits = limit_jobs(settings, config, end.seconds_left(clock.start()))
    wrapped = wrap_task(task, settings, url, queue.study.study_name, limits)
    pool = open_pool(plan, hydra_context, wrapped, config)
    build_loop = partial(
        SweepLoop,
        queue,
        pool,
        HeartbeatThread(queue.storage, settings["heartbeat"]),
        settings=_select_loop_settings(settings, search, plan.n_jobs),
        end=end,
        clock=clock,
        prepare=partial(prepare_job, space, hydra_context, config, search.custom, check),
        on_trial_end=partial(notify_safely, listener.on_trial_end, queue.study),
    )
    lines = [*filter(None, [*notes, plan.describe()])]
    return _run_loop(build_loop, queue, listener, lines, search.total, config)


def _find_listener(settings: dict[str, Any], config: DictConfig) -> Listener:
    """Return the application's listener, with as many objectives as there are directions."""
    listener = build_listener(settings["listener"])
    check_objectives(listener, settings["direction"], config)
    return listener


def _open_queue(
    settings: dict[str, Any],
    url: str,
    search: Search,
    config: DictConfig,
    find_start: Callable[[BaseStorage, SearchSpace], Start],
    plan_sampler: SamplerPlan,
) -> tuple[TrialQueue, SearchSpace, list[str]]:
    """Open the study of the command, or create it, with the points that it starts from.

    Returns:
        The queue of its trials, the space under whose names it is searched, and lines for the
        user.
    """
    lock, heartbeat = StorageLock(url), settings["heartbeat"]
    # Under the lock, so that two sweepers that start together create one study and not two.
    with lock.hold():
        storage = open_storage(url, heartbeat)
        space = select_space(settings, storage, search.spaces)
        start = find_start(storage, space)
        study = open_study(settings, storage, space, config)
        history, notes = begin_study(study, space, start)
    make_sampler = plan_sampler(space, history)
    queue = TrialQueue(study, storage, lock, make_sampler, settings["retries"], heartbeat)
    queue.num_points = count_grid_points(search.sampler, space)
    return queue, space, notes


def _select_loop_settings(
    settings: dict[str, Any], search: Search, n_jobs: int
) -> LoopSettings:
    known = {f.name: settings[f.name] for f in fields(LoopSettings) if f.name in settings}
    found = {"n_trials": search.total, "n_jobs": n_jobs, "num_points": search.num_points}
    return LoopSettings(**known | found)


def _run_loop(
    build_loop: Callable[[ProgressDisplay], SweepLoop],
    queue: TrialQueue,
    listener: Listener,
    lines: list[str],
    total: int,
    config: DictConfig,
) -> int:
    """Run the loop between the listener's start and its end, which comes after any error.

    Args:
        build_loop: returns the loop with a display.
        lines: what the display begins with.
    """
    study, path = queue.study, Path(config.hydra.sweep.dir, RESULTS)
    with queue.lock.hold():
        listener.on_start(study, config)
    status: SweepStatus = "FAILED"
    with catch_stop_signals() as stop:
        try:
            # Only now, because the listener may refuse a folder that contains another sweep.
            write_multirun(config)
            progress = open_progress_display()
            try:
                for line in [*lines, _describe_done(queue, total)]:
                    progress.log(line)
                build_loop(progress).run(stop)
            finally:
                progress.close()
                best = write_results(study, path)
            status = "KILLED" if stop.signum else "FINISHED"
        finally:
            notify_safely(listener.on_end, study, status)
    new_key = find_alias(config, "new") if config.hydra.sweeper.new else ""
    _log_results(queue, best, path, progress, stop, new_key)
    if best and not stop.signum:
        for line in list_next_steps(listener, study):
            progress.log(line)
    return stop.signum


def _describe_done(queue: TrialQueue, total: int) -> str:
    done = sum(queue.count_states()[state] for state in ENDED)
    return f"study {queue.study.study_name}: {min(done, total)} of {total} trials are done"


def _log_results(
    queue: TrialQueue,
    best: list[FrozenTrial],
    path: Path,
    progress: ProgressDisplay,
    stop: StopSignal,
    new_key: str,
) -> None:
    """Log the best trials, or why there are none.

    Args:
        new_key: the key by which this command has started a new study; "" if it has not.

    Raises:
        FailedSweepError: no trial was completed.
    """
    name, counts = queue.study.study_name, queue.count_states()
    if stop.signum:
        # A sweep that asks for a new study would begin another one.
        how = f" with {new_key}=false hydra.sweeper.study_name={name}" if new_key else ""
        progress.log(f"study {name}: stopped; start the same sweep again{how} to resume it")
    elif not best:
        raise FailedSweepError(f"study {name}: {explain_no_best(queue)}")
    else:
        ended = sum(counts[state] for state in ENDED)
        trials = "1 trial is" if ended == 1 else f"{ended} trials are"
        progress.log(f"study {name}: {trials} done; results in {path}")
        for trial in best:
            params = " ".join(f"{k}={v}" for k, v in trial.params.items())
            progress.log(f"best: {format_values(trial)} (trial {trial.number}) with {params}")
