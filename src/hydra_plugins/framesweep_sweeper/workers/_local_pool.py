"""Worker processes on this machine, which take the place of Hydra's basic launcher."""

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from multiprocessing import connection
from typing import Any

import cloudpickle
from hydra.types import HydraContext

from hydra_plugins.framesweep_sweeper.trials import _failures
from hydra_plugins.framesweep_sweeper.workers._cores import count_cores
from hydra_plugins.framesweep_sweeper.workers._devices import device_environment
from hydra_plugins.framesweep_sweeper.workers._pool import FinishedJob, Job
from hydra_plugins.framesweep_sweeper.workers._spawned_worker import SpawnedWorker
from hydra_plugins.framesweep_sweeper.workers._worker_process import (
    CLOSE_SECONDS,
    WorkerProcess,
)

THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
)
WORKER_MODULE = "hydra_plugins.framesweep_sweeper.workers._worker"


class LocalPool:
    """`n_jobs` worker processes on this machine, each started when it is first needed.

    A worker runs one job after another, so the application is imported once per worker and not
    once per trial. Each worker is in a process group of its own, so that Ctrl-C in the terminal
    reaches it through the sweeper only, which then waits for the checkpoints.

    Args:
        n_jobs: the number of slots.
        hydra_context: the context that Hydra hands to a launcher.
        task: the function that runs a job.
        device_groups: the values of CUDA_VISIBLE_DEVICES that the slots take in turn; empty to
            leave the variable as it is.
    """

    outlives_sweeper = False

    def __init__(
        self,
        n_jobs: int,
        hydra_context: HydraContext,
        task: Any,
        device_groups: Sequence[str] = (),
    ) -> None:
        self._n_jobs = n_jobs
        self._device_groups = device_groups
        self._setup = (hydra_context, task)
        self._workers: dict[int, InheritingWorker | SpawnedWorker] = {}
        self._busy: set[int] = set()

    def start(self, slot: int, job: Job) -> None:
        """Send the job to the slot's worker, which is started if there is none."""
        worker = self._workers.get(slot)
        if worker is None:
            devices = device_environment(self._device_groups, slot)
            environment = _make_environment(self._n_jobs) | devices
            # Windows knows neither fork nor inherited descriptors.
            start = InheritingWorker if hasattr(os, "fork") else SpawnedWorker
            worker = start(*self._setup, environment)
            self._workers[slot] = worker
        self._busy.add(slot)
        worker.send(cloudpickle.dumps(job.config))

    def wait(self, seconds: float) -> list[FinishedJob]:
        """Return the jobs that have ended, or an empty list after `seconds` without any."""
        slots = {self._workers[slot].connection: slot for slot in self._busy}
        ready = connection.wait(list(slots), seconds)
        return [self._collect(slots[conn]) for conn in ready]  # type: ignore[index]

    def _collect(self, slot: int) -> FinishedJob:
        self._busy.discard(slot)
        worker = self._workers[slot]
        try:
            worker.connection.recv_bytes()
        except (EOFError, OSError):
            # The worker was killed. The next job of the slot gets a new one.
            del self._workers[slot]
            return FinishedJob(slot, _failures.KILLED, _failures.describe_exit(worker.close()))
        return FinishedJob(slot)

    def signal(self, signum: int) -> None:
        """Send a signal to all busy workers; 0 stands for SIGTERM."""
        for slot in self._busy:
            self._workers[slot].signal(signum or signal.SIGTERM)

    def close(self) -> None:
        """Kill the busy workers, and let the idle ones end."""
        for slot, worker in self._workers.items():
            if slot in self._busy:
                worker.kill()
            worker.close()
        self._workers.clear()


class InheritingWorker(WorkerProcess):
    """A worker process, the connection to it, and its lifeline.

    The lifeline is a pipe that nobody writes to. The sweeper keeps one end open; when the
    sweeper dies, in whatever way, the kernel closes that end, and the worker notices. The other
    end is passed to this worker only.
    """

    def __init__(self, hydra_context: HydraContext, task: Any, env: dict[str, str]) -> None:
        self.connection, theirs = connection.Pipe()
        lifeline, self._lifeline = os.pipe()
        command = [sys.executable, "-m", WORKER_MODULE]
        command += [str(theirs.fileno()), str(lifeline), str(os.getpid())]
        self.process: subprocess.Popen[bytes] = subprocess.Popen(
            command,
            env=env,
            stdin=subprocess.DEVNULL,
            pass_fds=(theirs.fileno(), lifeline),
            process_group=0,
        )
        theirs.close()
        os.close(lifeline)
        self.set_up(hydra_context, task)

    def signal(self, signum: int) -> None:
        """Send a signal to the process."""
        self.process.send_signal(signum)

    def close(self) -> int:
        """Close the connection, at which an idle process ends, and return its exit code."""
        self.connection.close()
        try:
            return self.process.wait(CLOSE_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()
        finally:
            os.close(self._lifeline)


def _make_environment(n_jobs: int) -> dict[str, str]:
    """Return the environment of a worker: ours, with its share of the cores as thread counts.

    Variables that the user has set are left as they are.
    """
    share = max(1, count_cores() // n_jobs)
    return {**dict.fromkeys(THREAD_VARIABLES, str(share)), **os.environ}
