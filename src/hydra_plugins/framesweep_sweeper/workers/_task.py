"""The task that a launcher runs for a trial, in whichever process and on whichever machine."""

import functools
import json
import math
import os
import signal
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import optuna
from hydra.core.hydra_config import HydraConfig
from hydra.types import TaskFunction
from optuna.pruners import BasePruner
from optuna.storages import BaseStorage

from hydra_plugins.framesweep_sweeper import job
from hydra_plugins.framesweep_sweeper._errors import StoppedJobError, SupersededError
from hydra_plugins.framesweep_sweeper.search._samplers import build_pruner
from hydra_plugins.framesweep_sweeper.storage._heartbeats import HeartbeatThread
from hydra_plugins.framesweep_sweeper.storage._storage import open_storage
from hydra_plugins.framesweep_sweeper.storage._study_views import view_for_pruner
from hydra_plugins.framesweep_sweeper.trials import _failures, _trial_attrs
from hydra_plugins.framesweep_sweeper.trials._constraints import (
    Constraint,
    write_constraints,
)
from hydra_plugins.framesweep_sweeper.trials._process import Process
from hydra_plugins.framesweep_sweeper.trials._time_limit import (
    NO_LIMITS,
    SECONDS,
    TRIAL_MINUTES,
    JobLimits,
    TimeLimit,
)
from hydra_plugins.framesweep_sweeper.trials._trial_attrs import JobOutcome
from hydra_plugins.framesweep_sweeper.workers._signals import (
    REQUEUE,
    get_requeue_handler,
    watch_requeue_signal,
)

SERIAL_VARIABLE = "FRAMESWEEP_CLAIM"
"""Environment variable that tells a job the number of its claim. Hydra sets it from the job's
config, so that it reaches the job through any launcher."""

LONGEST_MESSAGE = 500


@functools.lru_cache(maxsize=8)
def _build_pruner(study_name: str, config: str) -> BasePruner:
    """Return the pruner of a study, which may remember what it knows about its trials."""
    return build_pruner(json.loads(config))


class TrialTask:
    """The application's task function, wrapped so that a job records how it ended.

    It is pickled and sent to the process that runs the job, where it opens the study itself.

    Args:
        task: the function that the application gave to Hydra.
        url: the absolute URL of the study's storage.
        study_name: the name of the study, which must exist.
        pruner: the config of the pruner, as a plain dict.
        heartbeat: seconds between heartbeats.
        limits: when the job must end.
        constraints: bounds of metrics, which the job records.
    """

    def __init__(
        self,
        task: TaskFunction,
        url: str,
        study_name: str,
        pruner: Any,
        heartbeat: int,
        limits: JobLimits = NO_LIMITS,
        constraints: tuple[Constraint, ...] = (),
    ) -> None:
        functools.update_wrapper(self, task, updated=())
        self.task = task
        self.url = url
        self.study_name = study_name
        self.pruner = pruner
        self.heartbeat = heartbeat
        self.limits = limits
        self.constraints = constraints

    def __call__(self, config: Any) -> Any:
        """Run the task with the config of the trial, and return what the task returns.

        Raises:
            SupersededError: the trial now belongs to another worker.
            StoppedJobError: the task ended by KeyboardInterrupt or SystemExit.
        """
        storage = _connect(self.url, self.heartbeat)
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
            study_name=self.study_name,
            storage=view_for_pruner(storage),
            pruner=_build_pruner(self.study_name, json.dumps(self.pruner)),
        )
        study_id = storage.get_study_id_from_name(self.study_name)
        trial_id = storage.get_trial_id_from_study_id_trial_number(study_id, number)
        frozen = storage.get_trial(trial_id)
        attrs = _trial_attrs.read(frozen)
        # A job may wait in a cluster's queue until its trial has been taken over, or may be
        # started twice. An outcome is never replaced.
        if attrs.claims != int(os.environ[SERIAL_VARIABLE]) or attrs.outcome is not None:
            raise SupersededError(f"trial {number} was taken over by another worker")
        return job.CurrentTrial(
            study_name=self.study_name,
            number=number,
            attempt=attrs.attempt,
            # A scheduler that requeues a job starts it again under the same claim.
            is_resumed=attrs.claims > 1 or attrs.worker is not None,
            _trial_id=trial_id,
            _serial=attrs.claims,
            _study=study,
            _storage=storage,
            _limit=TimeLimit(self.limits, frozen.system_attrs.get(SECONDS, 0.0)),
        )

    def _run(self, config: Any, trial: job.CurrentTrial, requeued: list[int]) -> Any:
        value: Any = None
        try:
            with trial._limit:
                value = self.task(config)
            outcome = judge_return_value(value, len(trial._study.directions))
            outcome = require_metrics(outcome, self.constraints, trial.metrics)
            trial.require_owned()
        except (job.TrialPruned, optuna.TrialPruned):
            reason = TRIAL_MINUTES if trial.is_out_of_time else ""
            outcome = JobOutcome(_trial_attrs.PRUNED, reason=reason)
        except SupersededError:
            raise
        except BaseException as error:
            _leave_to_scheduler(error, requeued)
            if not trial.still_owned():
                # The job's own error may be that its directory has another owner now.
                raise SupersededError(f"trial {trial.number} was taken over") from error
            trial._limit.record(trial._storage, trial._trial_id)
            outcome = judge_error(error)
            if trial.is_out_of_time and outcome.state == _trial_attrs.INTERRUPTED:
                outcome = JobOutcome(_trial_attrs.PRUNED, reason=TRIAL_MINUTES)
            _trial_attrs.write_outcome(trial._storage, trial._trial_id, trial._serial, outcome)
            if isinstance(error, Exception):
                raise
            raise StoppedJobError(_failures.summarize_error(error)) from error
        metrics = trial.metrics
        write_constraints(trial._storage, trial._trial_id, self.constraints, metrics)
        _trial_attrs.write_outcome(trial._storage, trial._trial_id, trial._serial, outcome)
        return value


def judge_return_value(value: Any, num_objectives: int) -> JobOutcome:
    """Return COMPLETE with the objectives that a job returned, or FAIL if they are unusable.

    Args:
        value: what the job returned: a number, or several for several objectives.
        num_objectives: the number of objectives of the study.
    """
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
        # Optuna accepts no NaN, and no number can be compared with it.
        message = f"the job must return no NaN; found {value!r}"[:LONGEST_MESSAGE]
        return JobOutcome(_trial_attrs.FAILED, reason=_failures.NAN_OBJECTIVE, message=message)
    return JobOutcome(_trial_attrs.COMPLETE, values)


def require_metrics(
    outcome: JobOutcome, constraints: Sequence[Constraint], metrics: Mapping[str, float]
) -> JobOutcome:
    """Return the outcome, or FAIL if a complete job did not record a constrained metric."""
    missing = [one.metric for one in constraints if one.metric not in metrics]
    if not missing or outcome.state != _trial_attrs.COMPLETE:
        return outcome
    message = (
        f"hydra.sweeper.constraints: must name metrics that the job records; found {missing[0]}"
        f", and the job records {', '.join(sorted(metrics)) or 'none'}"
    )[:LONGEST_MESSAGE]
    return JobOutcome(_trial_attrs.FAILED, reason=_failures.CONFIG, message=message)


def judge_error(error: BaseException) -> JobOutcome:
    """Return INTERRUPTED for a job that a signal stopped, else FAIL with the reason."""
    message = _failures.summarize_error(error)[:LONGEST_MESSAGE]
    if _failures.is_interruption(error):
        return JobOutcome(_trial_attrs.INTERRUPTED, message=message)
    return JobOutcome(
        _trial_attrs.FAILED, reason=_failures.classify_error(error), message=message
    )


def _leave_to_scheduler(error: BaseException, requeued: list[int]) -> None:
    """End a job without an outcome if the scheduler will start it again under the same claim.

    There are two cases. If the application does not catch SIGUSR2, the launcher's handler has
    already requeued the job and raised SystemExit. If the application does catch it, writes a
    checkpoint and stops, the signal is raised again here for the launcher's handler, which
    requeues the job and exits, or raises why the job may not be requeued.
    """
    if isinstance(error, SystemExit) and requeued:
        raise error
    if _failures.get_stop_signal(error) == REQUEUE and get_requeue_handler() is not None:
        signal.raise_signal(REQUEUE)


@functools.cache
def _connect(url: str, heartbeat: int) -> BaseStorage:
    """Return the storage; a process opens it once, however many trials it runs."""
    return open_storage(url, heartbeat)
