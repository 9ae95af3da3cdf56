"""A local worker process on a system where a child inherits no descriptors, as on Windows."""

import _thread
import contextlib
import ctypes
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from multiprocessing.process import BaseProcess
from typing import Any

from hydra.types import HydraContext

from hydra_plugins.framesweep_sweeper.workers._worker import serve
from hydra_plugins.framesweep_sweeper.workers._worker_process import (
    CLOSE_SECONDS,
    WorkerProcess,
)


class SpawnedWorker(WorkerProcess):
    """A worker process that multiprocessing has started, and two connections to it.

    Jobs travel on the first one. The second is the lifeline: it carries the numbers of signals,
    which Windows cannot send to one process, and it ends when the sweeper dies.
    """

    def __init__(self, hydra_context: HydraContext, task: Any, env: Mapping[str, str]) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        lifeline, self._lifeline = context.Pipe(duplex=False)
        self.process: BaseProcess = context.Process(target=_main, args=(theirs, lifeline))
        with _environment(env):
            self.process.start()
        theirs.close()
        lifeline.close()
        self.set_up(hydra_context, task)

    def signal(self, signum: int) -> None:
        """Let the process handle a signal as if it had been sent to it."""
        with contextlib.suppress(OSError):
            self._lifeline.send(int(signum))

    def close(self) -> int:
        """Close the connection, at which an idle process ends, and return its exit code."""
        self.connection.close()
        self.process.join(CLOSE_SECONDS)
        if self.process.exitcode is None:
            self.process.kill()
            self.process.join()
        self._lifeline.close()
        assert self.process.exitcode is not None
        return self.process.exitcode


def _main(jobs: Any, lifeline: Any) -> None:
    """Run jobs in the new process, until their connection is closed or the sweeper dies."""
    if sys.platform == "win32":
        # Ctrl-C in the console reaches the sweeper alone, which passes it on.
        ctypes.WinDLL("kernel32").SetConsoleCtrlHandler(None, True)
    threading.Thread(target=_follow, args=(lifeline,), name="lifeline", daemon=True).start()
    serve(jobs)


def _follow(lifeline: Any) -> None:
    """Handle the signals that arrive, and end this process when the sweeper dies."""
    with contextlib.suppress(EOFError, OSError):
        while True:
            signum = lifeline.recv()
            if signal.getsignal(signum) == signal.SIG_DFL:
                break  # as the system does with a process that handles no signals
            _thread.interrupt_main(signum)
    os._exit(1)


@contextmanager
def _environment(env: Mapping[str, str]) -> Iterator[None]:
    """Set environment variables for children that are started within the context."""
    before = dict(os.environ)
    os.environ.update(env)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
