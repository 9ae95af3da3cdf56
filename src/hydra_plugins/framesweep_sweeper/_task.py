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

from hydra_plugins.framesweep_sweeper import _failures, _record, job
from hydra_plugins.framesweep_sweeper._errors import SupersededError
from hydra_plugins.framesweep_sweeper._process import Process
from hydra_plugins.framesweep_sweeper._record import Outcome
from hydra_plugins.framesweep_sweeper._sampling import build_pruner
from hydra_plugins.framesweep_sweeper._signals import (
    REQUEUE,
    noting_requeue,
    requeue_handler,
)
from hydra_plugins.framesweep_sweeper._storage import Heart, open_storage

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
        _record.write_worker(storage, trial._trial_id, trial._serial, Process.current())
        heart = Heart(storage, self.heartbeat)
        heart.add(trial._trial_id)
        job.set_current_trial(trial)
        try:
            with noting_requeue() as requeued:
                return self._run(config, trial, requeued)
        finally:
            job.set_current_trial(None)
            heart.stop()

    def _find_trial(self, storage: BaseStorage) -> job.CurrentTrial:
        number = int(HydraConfig.get().job.num)
        study = optuna.load_study(
            study_name=self.study_name, storage=storage, pruner=build_pruner(self.pruner)
        )
        study_id = storage.get_study_id_from_name(self.study_name)
        trial_id = storage.get_trial_id_from_study_id_trial_number(study_id, number)
        record = _record.read(storage.get_trial(trial_id))
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
            outcome = outcome_of_value(value, len(trial._study.directions))
        except (job.TrialPruned, optuna.TrialPruned):
            outcome = Outcome(_record.PRUNED)
        except SupersededError:
            raise
        except BaseException as error:
            _leave_to_scheduler(error, requeued)
            _record.write_outcome(
                trial._storage, trial._trial_id, trial._serial, outcome_of_error(error)
            )
            raise
        _record.write_outcome(trial._storage, trial._trial_id, trial._serial, outcome)
        return value


def outcome_of_value(value: Any, num_objectives: int) -> Outcome:
    """COMPLETE with the value or values a job returned, or FAIL where they are no such."""
    several = isinstance(value, Iterable) and not isinstance(value, str | bytes)
    try:
        values = tuple(float(v) for v in (value if several else [value]))
    except (TypeError, ValueError):
        values = ()
    if len(values) != num_objectives:
        wanted = "a number" if num_objectives == 1 else f"{num_objectives} numbers"
        message = f"the job must return {wanted}; found {value!r}"[:LONGEST_MESSAGE]
        return Outcome(_record.FAILED, reason=_failures.BAD_OBJECTIVE, message=message)
    if any(math.isnan(v) for v in values):
        message = f"the job returned {value!r}"[:LONGEST_MESSAGE]
        return Outcome(_record.FAILED, reason=_failures.NAN_OBJECTIVE, message=message)
    return Outcome(_record.COMPLETE, values)


def outcome_of_error(error: BaseException) -> Outcome:
    """INTERRUPTED for a job that a signal stopped, else FAIL with its reason."""
    message = _failures.message_of(error)[:LONGEST_MESSAGE]
    if _failures.is_interruption(error):
        return Outcome(_record.INTERRUPTED, message=message)
    return Outcome(_record.FAILED, reason=_failures.reason_of(error), message=message)


def _leave_to_scheduler(error: BaseException, requeued: list[int]) -> None:
    """Lets a job that will start again later, under the same claim, end without an outcome.

    Who stopped for SIGUSR2 is left to the launcher, which requeues the job and exits, or raises
    why it may not. Its handler has done so already in a job that does not catch the signal.
    """
    if isinstance(error, SystemExit) and requeued:
        raise error
    if _failures.signal_of(error) == REQUEUE and requeue_handler() is not None:
        signal.raise_signal(REQUEUE)


@functools.cache
def _storage_of(url: str, heartbeat: int) -> BaseStorage:
    """One connection a process, however many trials it runs."""
    return open_storage(url, heartbeat)
