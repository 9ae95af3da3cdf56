"""What the sweep's loop needs of a place that runs jobs."""

from dataclasses import dataclass
from typing import Protocol

from omegaconf import DictConfig

from hydra_plugins.framesweep_sweeper.trials import _failures, _trial_attrs
from hydra_plugins.framesweep_sweeper.trials._trial_attrs import JobOutcome


@dataclass(frozen=True)
class Job:
    """A trial that is ready to run.

    Attributes:
        number: the trial's number.
        overrides: the overrides that make its config.
        config: the composed config.
    """

    number: int
    overrides: list[str]
    config: DictConfig


@dataclass(frozen=True)
class FinishedJob:
    """The news that the job in a slot has ended.

    Attributes:
        slot: the slot, which is free again.
        reason: why the job failed, if it could not record its outcome itself.
        message: the same in a line.
    """

    slot: int
    reason: str = _failures.EXCEPTION
    message: str = "the job ended without recording an outcome; see its console.log"

    def judge(self, *, stopping: bool) -> JobOutcome:
        """Return the outcome of a job that could not record one.

        Args:
            stopping: whether the sweep was stopping the jobs.
        """
        if stopping:
            return JobOutcome(_trial_attrs.INTERRUPTED)
        return JobOutcome(_trial_attrs.FAILED, reason=self.reason, message=self.message)


class Pool(Protocol):
    """Runs one job per slot, asynchronously.

    No method waits for all jobs: as soon as one ends, its slot can be given the next.
    """

    outlives_sweeper: bool
    """Whether jobs continue when the sweeper stops."""

    def start(self, slot: int, job: Job) -> None:
        """Start a job in a free slot, and return without waiting for it."""
        ...

    def wait(self, seconds: float) -> list[FinishedJob]:
        """Return the jobs that have ended, or an empty list after `seconds` without any."""
        ...

    def signal(self, signum: int) -> None:
        """Send a signal to all running jobs; 0 stands for SIGTERM."""
        ...

    def close(self) -> None:
        """End all processes, including those that are busy."""
        ...
