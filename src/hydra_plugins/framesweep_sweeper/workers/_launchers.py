"""Hydra launchers other than the basic one, called so that no job waits for another."""

import logging
import queue
import threading
from collections.abc import Sequence
from typing import Any

from hydra.core.plugins import Plugins
from hydra.core.utils import JobStatus
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext
from omegaconf import DictConfig, OmegaConf

from hydra_plugins.framesweep_sweeper._hydra import BasicLauncher
from hydra_plugins.framesweep_sweeper.trials import _failures
from hydra_plugins.framesweep_sweeper.workers._devices import WorkerPlan
from hydra_plugins.framesweep_sweeper.workers._local_pool import LocalPool
from hydra_plugins.framesweep_sweeper.workers._pool import FinishedJob, Job, Pool
from hydra_plugins.framesweep_sweeper.workers._task import TrialTask

BASIC_LAUNCHER = f"{BasicLauncher.__module__}.{BasicLauncher.__qualname__}"


class LauncherPool:
    """Any Hydra launcher, called with a single job from as many threads as there are slots.

    A launcher's `launch` returns when all of its jobs have ended. With one job per call, each
    slot becomes free as soon as its own job has ended.

    A job that was handed to a cluster continues when the sweeper stops. It records its outcome
    in the study's storage, where the next sweeper finds it.

    Args:
        launcher: the launcher, set up with the task that runs a job.
    """

    outlives_sweeper = True

    def __init__(self, launcher: Launcher) -> None:
        self._launcher = launcher
        self._ended: queue.SimpleQueue[FinishedJob] = queue.SimpleQueue()

    def start(self, slot: int, job: Job) -> None:
        """Launch the job from a thread of its own."""
        args = (slot, job.number, job.overrides)
        threading.Thread(target=self._launch, args=args, daemon=True).start()

    def _launch(self, slot: int, number: int, overrides: Sequence[str]) -> None:
        ended = FinishedJob(slot)
        try:
            (returned,) = self._launcher.launch([overrides], initial_job_idx=number)
            if returned.status is not JobStatus.COMPLETED:
                raise returned._return_value
        except BaseException as error:
            # Jobs in this process may also raise KeyboardInterrupt or SystemExit.
            reason = _failures.classify_error(error)
            ended = FinishedJob(slot, reason, _failures.summarize_error(error))
        self._ended.put(ended)

    def wait(self, seconds: float) -> list[FinishedJob]:
        """Return a job that has ended, or an empty list after `seconds` without any."""
        try:
            return [self._ended.get(timeout=seconds)]
        except queue.Empty:
            return []

    def signal(self, signum: int) -> None:
        """Do nothing: Hydra's launchers cannot pass a signal on."""

    def close(self) -> None:
        """Do nothing: the jobs continue without the sweeper."""


def uses_local_workers(config: DictConfig) -> bool:
    """Return whether the config's launcher is the basic one, which local workers replace."""
    target = OmegaConf.select(config, "hydra.launcher._target_", default=BASIC_LAUNCHER)
    return bool(target == BASIC_LAUNCHER)


def open_pool(
    plan: WorkerPlan, hydra_context: HydraContext, task: TrialTask, config: DictConfig
) -> Pool:
    """Return a pool for the config's launcher; the basic one is replaced by local workers."""
    launcher = Plugins.instance().instantiate_launcher(
        hydra_context=hydra_context, task_function=task, config=config
    )
    if type(launcher) is BasicLauncher:
        return LocalPool(plan.n_jobs, hydra_context, task, plan.device_groups)
    if package := type(launcher).__module__.rpartition(".")[0]:
        # A launcher logs several lines per call, here per trial; the sweep's own suffice.
        logging.getLogger(package).setLevel(logging.WARNING)
    _prepare_for_threads(launcher, plan.n_jobs)
    return LauncherPool(launcher)


def _prepare_for_threads(launcher: Launcher, n_jobs: int) -> None:
    """Make each call of `launch`, from whichever thread, run its job in another process."""
    known: Any = launcher
    match type(launcher).__name__:
        case "JoblibLauncher":
            # With n_jobs=1, joblib would run the job in the calling thread.
            known.joblib["n_jobs"] = max(2, n_jobs)
        case "RayLauncher":
            # Started now, because several threads that find no Ray would each start one.
            from hydra_plugins.hydra_ray_launcher._launcher_util import start_ray

            options: Any = OmegaConf.to_container(known.ray_cfg.init, resolve=True)
            start_ray(DictConfig(options))
