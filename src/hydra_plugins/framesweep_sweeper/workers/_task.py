"""The job of one trial, wherever a launcher runs it: finds its trial and notes its outcome."""

import functools
import math
import os
import signal
from collections.abc import Iterable
from typing import Any

import optuna
from hydra.core.hydra_config import HydraConfig
from hydra.types import TaskFunction
from optuna.storages import BaseStorage

from hydra_plugins.framesweep_sweeper import job
from hydra_plugins.framesweep_sweeper._errors import SupersededError
from hydra_plugins.framesweep_sweeper.search._samplers import build_pruner
from hydra_plugins.framesweep_sweeper.storage._heartbeats import HeartbeatThread
from hydra_plugins.framesweep_sweeper.storage._storage import open_storage
from hydra_plugins.framesweep_sweeper.trials import _failures, _trial_attrs
from hydra_plugins.framesweep_sweeper.trials._process import Process
from hydra_plugins.framesweep_sweeper.trials._trial_attrs import JobOutcome
from hydra_plugins.framesweep_sweeper.workers._signals import (
    REQUEUE,
    get_requeue_handler,
    watch_requeue_signal,
)

SERIAL_VARIABLE = "FRAMESWEEP_CLAIM"
LONGEST_MESSAGE = 500


class TrialTask:
    """Wraps the application's task; pickled, it takes with it how to reach the study.

    Args:
        task: the function that Hydra was given.
        url: of the study's storage.
        study_name: of the study, which must exist.
        pruner: config of the pruner, as a plain dict.
        heartbeat: seconds between signs of life.
    """

    def __init__(
        self, task: TaskFunction, url: str, study_name: str, pruner: Any, heartbeat: int
    ) -> None:
        functools.update_wrapper(self, task, updated=())
        self.task = task
        self.url = url
        self.study_name = study_name
        self.pruner = pruner
        self.heartbeat = heartbeat

    def __call__(self, config: Any) -> Any:
        storage = _storage_of(self.url, self.heartbeat)
        trial = self._find_trial(storage)
        _trial_attrs.write_worker(storage, trial._trial_id, trial._serial, Process.current())
        heartbeats = HeartbeatThread(storage, self.heartbeat)
        heartbeats.add(trial._trial_id)
        job.set_current_trial(trial)
        try:
            with watch_requeue_signal() as requeued:
                return self._run(config, trial, requeued)
        finally:
            job.set_current_trial(None)
            heartbeats.stop()

    def _find_trial(self, storage: BaseStorage) -> job.CurrentTrial:
        number = int(HydraConfig.get().job.num)
        study = optuna.load_study(
            study_name=self.study_name, storage=storage, pruner=build_pruner(self.pruner)
        )
        study_id = storage.get_study_id_from_name(self.study_name)
        trial_id = storage.get_trial_id_from_study_id_trial_number(study_id, number)
        record = _trial_attrs.read(storage.get_trial(trial_id))
        if record.claims != int(os.environ[SERIAL_VARIABLE]) or record.outcome is not None:
            raise SupersededError(f"trial {number} was taken over by another worker")
        return job.CurrentTrial(
            study_name=self.study_name,
            number=number,
            attempt=record.attempt,
            # A job that a scheduler has requeued has the claim it had.
            is_resumed=record.claims > 1 or record.worker is not None,
            _trial_id=trial_id,
            _serial=record.claims,
            _study=study,
            _storage=storage,
        )

    def _run(self, config: Any, trial: job.CurrentTrial, requeued: list[int]) -> Any:
        value: Any = None
        try:
            value = self.task(config)
            outcome = judge_return_value(value, len(trial._study.directions))
        except (job.TrialPruned, optuna.TrialPruned):
            outcome = JobOutcome(_trial_attrs.PRUNED)
        except SupersededError:
            raise
        except BaseException as error:
            _leave_to_scheduler(error, requeued)
            _trial_attrs.write_outcome(
                trial._storage, trial._trial_id, trial._serial, judge_error(error)
            )
            raise
        _trial_attrs.write_outcome(trial._storage, trial._trial_id, trial._serial, outcome)
        return value


def judge_return_value(value: Any, num_objectives: int) -> JobOutcome:
    """COMPLETE with the value or values a job returned, or FAIL where they are no such."""
    several = isinstance(value, Iterable) and not isinstance(value, str | bytes)
    try:
        values = tuple(float(v) for v in (value if several else [value]))
    except (TypeError, ValueError):
        values = ()
    if len(values) != num_objectives:
        wanted = "a number" if num_objectives == 1 else f"{num_objectives} numbers"
        message = f"the job must return {wanted}; found {value!r}"[:LONGEST_MESSAGE]
        return JobOutcome(_trial_attrs.FAILED, reason=_failures.BAD_OBJECTIVE, message=message)
    if any(math.isnan(v) for v in values):
        message = f"the job returned {value!r}"[:LONGEST_MESSAGE]
        return JobOutcome(_trial_attrs.FAILED, reason=_failures.NAN_OBJECTIVE, message=message)
    return JobOutcome(_trial_attrs.COMPLETE, values)


def judge_error(error: BaseException) -> JobOutcome:
    """INTERRUPTED for a job that a signal stopped, else FAIL with its reason."""
    message = _failures.summarize_error(error)[:LONGEST_MESSAGE]
    if _failures.is_interruption(error):
        return JobOutcome(_trial_attrs.INTERRUPTED, message=message)
    return JobOutcome(
        _trial_attrs.FAILED, reason=_failures.classify_error(error), message=message
    )


def _leave_to_scheduler(error: BaseException, requeued: list[int]) -> None:
    """Lets a job that will start again later, under the same claim, end without an outcome.

    Who stopped for SIGUSR2 is left to the launcher, which requeues the job and exits, or raises
    why it may not. Its handler has done so already in a job that does not catch the signal.
    """
    if isinstance(error, SystemExit) and requeued:
        raise error
    if _failures.get_stop_signal(error) == REQUEUE and get_requeue_handler() is not None:
        signal.raise_signal(REQUEUE)


@functools.cache
def _storage_of(url: str, heartbeat: int) -> BaseStorage:
    """One connection a process, however many trials it runs."""
    return open_storage(url, heartbeat)
