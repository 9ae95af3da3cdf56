"""What the settings say about jobs: how many run at a time, on which GPUs, and for how long."""

import math
import time
from typing import Any

from hydra.types import TaskFunction
from omegaconf import DictConfig

from hydra_plugins.framesweep_sweeper._errors import SweepError
from hydra_plugins.framesweep_sweeper.sweep._settings import AUTO, to_plain_dict
from hydra_plugins.framesweep_sweeper.trials._constraints import read_constraints
from hydra_plugins.framesweep_sweeper.trials._time_limit import JobLimits
from hydra_plugins.framesweep_sweeper.workers._devices import (
    WorkerPlan,
    list_devices,
    plan_workers,
)
from hydra_plugins.framesweep_sweeper.workers._launchers import uses_local_workers
from hydra_plugins.framesweep_sweeper.workers._task import TrialTask


def plan_jobs(settings: dict[str, Any], config: DictConfig) -> WorkerPlan:
    """Return the number of workers, and the GPUs of those on this machine.

    Raises:
        SweepError: n_jobs is auto, but another launcher decides where jobs run.
    """
    n_jobs = settings["n_jobs"]
    if uses_local_workers(config):
        per_job, per_device = settings["devices_per_job"], settings["jobs_per_device"]
        return plan_workers(n_jobs, list_devices(), per_job, per_device)
    if n_jobs == AUTO:
        raise SweepError(
            "hydra.sweeper.n_jobs: must be a number with a launcher, whose GPUs cannot be "
            "counted here; found auto"
        )
    return WorkerPlan(n_jobs)


def wrap_task(
    task: TaskFunction,
    settings: dict[str, Any],
    url: str,
    study_name: str,
    limits: JobLimits,
) -> TrialTask:
    """Return the task that a job of the study runs."""
    pruner = to_plain_dict(settings["pruner"])
    constraints = read_constraints(settings["constraints"])
    heartbeat = settings["heartbeat"]
    return TrialTask(task, url, study_name, pruner, heartbeat, limits, constraints)


def limit_jobs(settings: dict[str, Any], config: DictConfig, left: float) -> JobLimits:
    """Return when jobs end, given the seconds that are `left` to the search."""
    minutes = settings["trial_minutes"]
    return JobLimits(
        trial_seconds=math.inf if minutes is None else 60.0 * minutes,
        # The sweeper itself stops local workers, at the same moment as the search ends.
        deadline=math.inf if uses_local_workers(config) else time.time() + left,
    )
