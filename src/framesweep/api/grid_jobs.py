"""The runs of a grid in this process: what they print, and what becomes of those that fail."""

import logging
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.core.utils import JobReturn, JobStatus
from hydra.experimental.callback import Callback
from hydra.plugins.launcher import Launcher
from omegaconf import DictConfig

from framesweep.api.session import attached, muted
from framesweep.api.training import log_file
from framesweep.errors import FramesweepError
from framesweep.runs.job import run_job
from framesweep.sweeps.context import to_bare_key
from framesweep.sweeps.grids.checks import (
    GRID_SWEEPER,
    count_points,
    list_grid_overrides,
    read_axes,
)

log = logging.getLogger(__name__)


def log_size(config: DictConfig) -> None:
    """Log the number of runs of a grid, the first of which may take hours."""
    if config.hydra.runtime.choices["hydra/sweeper"] != GRID_SWEEPER:
        return
    num_points = count_points(read_axes(list_grid_overrides(config)))
    log.info("grid %s: 0 of %d runs", Path(config.hydra.sweep.dir).name, num_points)


class QuietJob:
    """A run of a grid in this process, which prints a line when it ends.

    Args:
        swept: The keys that the grid sweeps over.
    """

    def __init__(self, swept: Sequence[str]) -> None:
        self._swept = swept

    def __call__(self, config: DictConfig) -> float | list[float]:
        """Run the job with its log in a file only, and print the objective."""
        job, began = HydraConfig.get(), time.monotonic()
        point = [o for o in job.overrides.task if to_bare_key(o) in self._swept]
        try:
            with muted(), attached(log_file(Path(job.runtime.output_dir))):
                value = run_job(config)
        except FramesweepError as error:
            log.warning(_add_point(f"run {job.job.num} failed", point) + f": {error}")
            raise
        values = value if isinstance(value, list) else [value]
        text = " / ".join(f"{each:.6g}" for each in values)
        # Optuna, which this imports, takes a second.
        from hydra_plugins.framesweep_sweeper.sweep._progress import format_duration

        line = (
            f"run {job.job.num} complete: {text} in {format_duration(time.monotonic() - began)}"
        )
        log.info(_add_point(line, point))
        return value


def _add_point(line: str, point: Sequence[str]) -> str:
    """Return the line and the point of the grid, which is empty for a grid of one run."""
    return f"{line}: {' '.join(point)}" if point else line


class CollectedJobs(Callback):
    """The jobs of a grid in this process, as Hydra tells its callbacks of them.

    Hydra runs all jobs, and then raises the error of the first that failed in place of what
    they returned.
    """

    def __init__(self) -> None:
        self.jobs: list[JobReturn] = []

    def on_job_end(self, config: DictConfig, job_return: JobReturn, **kwargs: Any) -> None:
        """Remember a job."""
        self.jobs.append(job_return)

    def are_useful(self) -> bool:
        """Return whether a job has finished, and none has failed by a bug."""
        failed = [job for job in self.jobs if job.status is not JobStatus.COMPLETED]
        return len(failed) < len(self.jobs) and all(
            isinstance(job._return_value, FramesweepError) for job in failed
        )


class RaisingLauncher:
    """A launcher that raises the first error of its jobs; Hydra would print a line before it.

    An error that only a bug explains is left to Hydra, which restores its traceback.

    Args:
        launcher: What launches the jobs.
    """

    def __init__(self, launcher: Launcher) -> None:
        self._launcher = launcher

    def launch(
        self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int
    ) -> Sequence[JobReturn]:
        """See `hydra.plugins.launcher.Launcher`."""
        jobs = self._launcher.launch(job_overrides, initial_job_idx)
        for job in jobs:
            if isinstance(job._return_value, FramesweepError):
                raise job._return_value
        return jobs
