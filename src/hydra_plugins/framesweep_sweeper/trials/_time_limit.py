"""The time that a job may take, which ends it in whichever process it runs.

A job is asked to stop as by Ctrl-C, or by SIGTERM if it ignores that, so that it writes its
checkpoint. That works wherever the job runs in the main thread of its process, as it does with
local workers, joblib, Ray and submitit. Elsewhere it is stopped at its next report.
"""

import _thread
import math
import signal
import sys
import threading
import time
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from optuna.storages import BaseStorage

SECONDS = "framesweep:seconds"
"""System attribute of a trial: the seconds that its jobs have taken up to the last report."""

TRIAL_MINUTES = "trial_minutes"
"""Why a trial was pruned: the setting of this name."""


@dataclass(frozen=True)
class JobLimits:
    """When jobs end, however far they are.

    Attributes:
        trial_seconds: the time of a trial over all its jobs, after which it counts as pruned.
        deadline: the Unix time at which the search ends; its trials can be resumed.
    """

    trial_seconds: float = math.inf
    deadline: float = math.inf


NO_LIMITS = JobLimits()

POLL_SECONDS = 0.05
"""How often to look whether the import that delays the end of a job is over."""


class TimeLimit:
    """Asks the job of this process to stop when its time is over. A context around the job.

    Args:
        limits: the limits.
        before: the seconds that earlier jobs of the trial have taken.
    """

    def __init__(self, limits: JobLimits = NO_LIMITS, before: float = 0.0) -> None:
        self._before = before
        self._is_measured = limits.trial_seconds < math.inf
        self._began = time.monotonic()
        own = limits.trial_seconds - before
        self._left = max(0.0, min(own, limits.deadline - time.time()))
        self._ends_trial = own <= limits.deadline - time.time()
        self._timer: threading.Timer | None = None
        self.is_over = False

    @property
    def ends_trial(self) -> bool:
        """Whether the time of the trial is over, rather than that of the search."""
        return self.is_over and self._ends_trial

    def __enter__(self) -> Self:
        if self._left < math.inf:
            self._timer = threading.Timer(min(self._left, threading.TIMEOUT_MAX), self._end)
            self._timer.daemon = True
            self._in_main = threading.current_thread() is threading.main_thread()
            self._timer.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer.join()  # so that its signal never reaches what follows the job

    def record(self, storage: "BaseStorage", trial_id: int) -> None:
        """Record the time of the trial, for the job that resumes it after a crash."""
        if self._is_measured:
            seconds = self._before + time.monotonic() - self._began
            storage.set_trial_system_attr(trial_id, SECONDS, round(seconds, 3))

    def _end(self) -> None:
        self.is_over = True
        # Only what somebody handles: any other signal would end the whole process. A job in the
        # background of a script ignores SIGINT.
        stops = (signal.SIGINT, signal.SIGTERM)
        handled = [signum for signum in stops if callable(signal.getsignal(signum))]
        if not self._in_main or not handled:
            return
        # A module that is interrupted while it is imported may be unusable for later jobs.
        while _imports_module(threading.main_thread()):
            assert self._timer is not None
            if self._timer.finished.wait(POLL_SECONDS):
                return  # the job has ended by itself
        if hasattr(signal, "pthread_kill"):
            signal.pthread_kill(threading.main_thread().ident or 0, handled[0])
        else:  # on Windows os.kill would end the process
            _thread.interrupt_main(handled[0])


def _imports_module(thread: threading.Thread) -> bool:
    """Return whether a thread is importing a module."""
    frame = sys._current_frames().get(thread.ident or 0)
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib."):
            return True
        frame = frame.f_back
    return False
