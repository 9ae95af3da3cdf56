"""Where jobs run, without a barrier: local worker processes, or any other Hydra launcher."""

import contextlib
import os
import pickle
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing import connection
from typing import Any, Protocol

import cloudpickle
from hydra.core.singleton import Singleton
from hydra.core.utils import JobStatus
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext
from omegaconf import DictConfig

from hydra_plugins.framesweep_sweeper.trials import _failures

THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
)
WORKER = "hydra_plugins.framesweep_sweeper.workers._worker"
END_SECONDS = 10.0


@dataclass(frozen=True)
class Job:
    """One trial to run: its overrides, and the config they make."""

    number: int
    overrides: list[str]
    config: DictConfig


@dataclass(frozen=True)
class FinishedJob:
    """The job in `slot` has ended; the rest is for a job that could not say how."""

    slot: int
    reason: str = _failures.EXCEPTION
    message: str = "the job ended without noting its outcome; see its console.log"


class Pool(Protocol):
    outlives_sweeper: bool
    """Whether jobs go on when the sweeper stops."""

    def start(self, slot: int, job: Job) -> None: ...
    def wait(self, seconds: float) -> list[FinishedJob]: ...
    def signal(self, signum: int) -> None: ...
    def close(self) -> None: ...


class LocalPool:
    """`n_jobs` processes on this machine, each started when it is first needed.

    They are in process groups of their own: Ctrl-C reaches them through the sweeper only.
    """

    outlives_sweeper = False

    def __init__(self, n_jobs: int, hydra_context: HydraContext, task: Any) -> None:
        self._n_jobs = n_jobs
        self._setup = (hydra_context, task)
        self._workers: dict[int, _WorkerProcess] = {}
        self._busy: set[int] = set()

    def start(self, slot: int, job: Job) -> None:
        worker = self._workers.get(slot)
        if worker is None:
            worker = self._workers[slot] = _WorkerProcess(
                *self._setup, _make_environment(self._n_jobs)
            )
        self._busy.add(slot)
        worker.send(cloudpickle.dumps(job.config))

    def wait(self, seconds: float) -> list[FinishedJob]:
        slots = {self._workers[slot].connection: slot for slot in self._busy}
        ready = connection.wait(list(slots), seconds)
        return [self._collect(slots[conn]) for conn in ready]  # type: ignore[index]

    def _collect(self, slot: int) -> FinishedJob:
        self._busy.discard(slot)
        worker = self._workers[slot]
        try:
            worker.connection.recv_bytes()
        except (EOFError, OSError):
            del self._workers[slot]
            return FinishedJob(slot, _failures.KILLED, _failures.describe_exit(worker.close()))
        return FinishedJob(slot)

    def signal(self, signum: int) -> None:
        for slot in self._busy:
            self._workers[slot].process.send_signal(signum or signal.SIGTERM)

    def close(self) -> None:
        for slot, worker in self._workers.items():
            if slot in self._busy:
                worker.process.kill()
            worker.close()
        self._workers.clear()


class _WorkerProcess:
    """A worker process and the pipes to it."""

    def __init__(self, hydra_context: HydraContext, task: Any, env: dict[str, str]) -> None:
        self.connection, theirs = connection.Pipe()
        lifeline, self._lifeline = os.pipe()
        command = [sys.executable, "-m", WORKER]
        command += [str(theirs.fileno()), str(lifeline), str(os.getpid())]
        self.process = subprocess.Popen(
            command,
            env=env,
            stdin=subprocess.DEVNULL,
            pass_fds=(theirs.fileno(), lifeline),
            process_group=0,
        )
        theirs.close()
        os.close(lifeline)
        self.send(pickle.dumps((sys.path, sys.argv)))
        self.send(cloudpickle.dumps((hydra_context, task, Singleton.get_state())))

    def send(self, message: bytes) -> None:
        # If it died between jobs, the pool learns so when it waits for the answer.
        with contextlib.suppress(OSError):
            self.connection.send_bytes(message)

    def close(self) -> int:
        """Lets an idle process end, or learns how it ended; gives its return code."""
        self.connection.close()
        try:
            return self.process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()
        finally:
            os.close(self._lifeline)


class LauncherPool:
    """Any Hydra launcher, called with one job at a time from as many threads as jobs run.

    A job that has been handed to a cluster outlives the sweeper; its outcome is in the storage.
    """

    outlives_sweeper = True

    def __init__(self, launcher: Launcher) -> None:
        self._launcher = launcher
        self._ended: queue.SimpleQueue[FinishedJob] = queue.SimpleQueue()

    def start(self, slot: int, job: Job) -> None:
        args = (slot, job.number, job.overrides)
        threading.Thread(target=self._launch, args=args, daemon=True).start()

    def _launch(self, slot: int, number: int, overrides: Sequence[str]) -> None:
        ended = FinishedJob(slot)
        try:
            (returned,) = self._launcher.launch([overrides], initial_job_idx=number)
            if returned.status is not JobStatus.COMPLETED:
                raise returned._return_value
        except BaseException as error:
            ended = FinishedJob(
                slot, _failures.classify_error(error), _failures.summarize_error(error)
            )
        self._ended.put(ended)

    def wait(self, seconds: float) -> list[FinishedJob]:
        try:
            return [self._ended.get(timeout=seconds)]
        except queue.Empty:
            return []

    def signal(self, signum: int) -> None:
        pass

    def close(self) -> None:
        pass


def _make_environment(n_jobs: int) -> dict[str, str]:
    """This process's environment, with a share of the threads unless the user has said."""
    share = max(1, available_cores() // n_jobs)
    return {**dict.fromkeys(THREAD_VARIABLES, str(share)), **os.environ}


def available_cores() -> int:
    """Cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
