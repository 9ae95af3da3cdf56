"""Replays a search on the recorded trainings, through the loop of its sweeper."""

import contextlib
import math
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from omegaconf import DictConfig, OmegaConf

from framesweep.bench.search.contenders import Contender
from framesweep.bench.search.grid import DEFAULTS
from framesweep.bench.search.replayed import Replay
from framesweep.bench.search.table import RecordedTable
from framesweep.bench.search.virtual_pool import VirtualPool, create_study
from hydra_plugins.framesweep_sweeper.search._samplers import (
    build_pruner,
    build_sampler,
    count_grid_points,
)
from hydra_plugins.framesweep_sweeper.search._space import SearchSpace
from hydra_plugins.framesweep_sweeper.search._space_reader import read_space
from hydra_plugins.framesweep_sweeper.storage._heartbeats import HeartbeatThread
from hydra_plugins.framesweep_sweeper.storage._lock import StorageLock
from hydra_plugins.framesweep_sweeper.sweep._loop import SweepLoop
from hydra_plugins.framesweep_sweeper.sweep._progress import RunningTrial
from hydra_plugins.framesweep_sweeper.sweep._results import StudySummary
from hydra_plugins.framesweep_sweeper.sweep._search_end import SearchEnd
from hydra_plugins.framesweep_sweeper.sweep._settings import LoopSettings
from hydra_plugins.framesweep_sweeper.sweep._work_clock import WorkClock
from hydra_plugins.framesweep_sweeper.trials._claim import Claim
from hydra_plugins.framesweep_sweeper.trials._claims import TrialQueue
from hydra_plugins.framesweep_sweeper.workers._pool import Job
from hydra_plugins.framesweep_sweeper.workers._signals import StopSignal

MAX_TRIALS = 10_000
"""More trials than a search has; it ends when its time is up."""


def _select_settings(n_trials: int, n_jobs: int) -> LoopSettings:
    """Return settings under which only the number of trials and the time end a search."""
    return LoopSettings(
        n_trials=n_trials,
        n_jobs=n_jobs,
        max_failure_rate=0.0,
        repeat_duplicates=False,
        stop_seconds=0.0,
    )


def replay_search(
    table: RecordedTable, contender: Contender, n_jobs: int, seed: int, limit: float
) -> Replay:
    """Search with framesweep's sweeper for `limit` virtual seconds.

    The sweeper's own loop claims trials, hands them to the workers and settles them; only the
    trainings, the lock and the heartbeats are replaced.
    """
    space = read_space(table.list_sweeps(as_intervals=contender.as_intervals), [])
    study = create_study(build_pruner(contender.pruner))
    sampler: Any = OmegaConf.create({**contender.sampler, "seed": seed})
    make_sampler = partial(build_sampler, sampler, space, defaults=DEFAULTS)
    queue = TrialQueue(study, study._storage, _NoLock(), make_sampler, 0, 60)
    stop = StopSignal()
    pool = VirtualPool(table, study, stop, limit)
    loop = SweepLoop(
        queue,
        pool,
        _NoHeartbeats(),
        _NoDisplay(),
        _select_settings(_limit_trials(sampler, space), n_jobs),
        SearchEnd(None, None, study.direction),
        _NoClock(),
        prepare=partial(_prepare, space, pool),
        on_trial_end=lambda trial: None,
    )
    began = time.process_time()
    loop.run(stop)
    num_trials = len(study.get_trials(deepcopy=False))
    return Replay(
        results=pool.results,
        num_trials=num_trials,
        num_pruned=pool.num_pruned,
        search_seconds=(time.process_time() - began) / num_trials,
        idle_share=pool.idle_share(n_jobs),
        seconds=pool.now,
    )


def _limit_trials(sampler: DictConfig, space: SearchSpace) -> int:
    return int(min(MAX_TRIALS, count_grid_points(build_sampler(sampler, space, 0), space)))


def _prepare(space: SearchSpace, pool: VirtualPool, claim: Claim) -> Job:
    overrides = space.suggest(claim.trial, lambda key: None)
    pool.claims[claim.number] = claim
    return Job(claim.number, overrides, DictConfig({}))


class _NoLock(StorageLock):
    """The lock of a study that no other process knows."""

    def __init__(self) -> None:
        pass

    @contextlib.contextmanager
    def hold(self) -> Iterator[Callable[[], bool]]:
        yield lambda: True


class _NoHeartbeats(HeartbeatThread):
    """The heartbeats of trials that nobody takes over."""

    def __init__(self) -> None:
        pass

    def add(self, trial_id: int) -> None:
        pass

    def remove(self, trial_id: int) -> None:
        pass

    def stop(self) -> None:
        pass


class _NoClock(WorkClock):
    """The clock of a search that has no limit in real time."""

    def __init__(self) -> None:
        pass

    def keep_recording(self) -> None:
        pass

    def seconds(self) -> float:
        return 0.0

    def stop(self) -> None:
        pass


class _NoDisplay:
    """Shows nothing."""

    seconds = math.inf

    def log(self, line: str) -> None:
        pass

    def log_start(self, line: str) -> None:
        pass

    def log_end(self, line: str, params: str) -> None:
        pass

    def update(self, summary: StudySummary, slots: list[RunningTrial | None]) -> None:
        pass

    def close(self) -> None:
        pass
