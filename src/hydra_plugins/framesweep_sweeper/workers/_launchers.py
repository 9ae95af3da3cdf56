"""Which pool runs a sweep's jobs, and what a launcher needs to be called from threads."""

import logging
from typing import Any

from hydra._internal.core_plugins.basic_launcher import BasicLauncher
from hydra.core.plugins import Plugins
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext
from omegaconf import DictConfig, OmegaConf

from hydra_plugins.framesweep_sweeper.workers._pool import LauncherPool, LocalPool, Pool
from hydra_plugins.framesweep_sweeper.workers._task import TrialTask


def open_pool(
    n_jobs: int, hydra_context: HydraContext, task: TrialTask, config: DictConfig
) -> Pool:
    """Local workers in place of Hydra's basic launcher; any other launcher as it is."""
    launcher = Plugins.instance().instantiate_launcher(
        hydra_context=hydra_context, task_function=task, config=config
    )
    if type(launcher) is BasicLauncher:
        return LocalPool(n_jobs, hydra_context, task)
    if package := type(launcher).__module__.rpartition(".")[0]:
        # What it says of each call the sweep's own lines say in fewer words.
        logging.getLogger(package).setLevel(logging.WARNING)
    _prepare_for_threads(launcher, n_jobs)
    return LauncherPool(launcher)


def _prepare_for_threads(launcher: Launcher, n_jobs: int) -> None:
    """Makes each call of `launch`, from a thread of its own, a job in another process."""
    known: Any = launcher
    match type(launcher).__name__:
        case "JoblibLauncher":
            # With a single process joblib runs a job in the thread that calls it.
            known.joblib["n_jobs"] = max(2, n_jobs)
        case "RayLauncher":
            # Threads that find no Ray would each start one.
            from hydra_plugins.hydra_ray_launcher._launcher_util import start_ray

            options: Any = OmegaConf.to_container(known.ray_cfg.init, resolve=True)
            start_ray(DictConfig(options))
