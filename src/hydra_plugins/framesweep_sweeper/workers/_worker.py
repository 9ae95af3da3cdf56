"""The main program of a local worker process: import once, then run one job after another.

The sweeper starts it with `python -m` and three arguments: two file descriptors that it
inherits, and the process id of the sweeper. It ends when the sweeper closes either descriptor
or dies.
"""

import ctypes
import gc
import io
import os
import pickle
import signal
import sys
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import cloudpickle

CONSOLE = "console.log"
"""File in the job's directory that takes what the job prints."""

PR_SET_PDEATHSIG = 1
"""From <sys/prctl.h>: the signal that the kernel sends when the parent dies."""

DONE = b"done"


def main(jobs: int, lifeline: int, parent: int) -> None:
    """Run the jobs that arrive on the descriptor `jobs`, until it is closed.

    Args:
        jobs: the descriptor of a connection that brings the setup and then jobs.
        lifeline: the descriptor of a pipe that is closed when the sweeper dies.
        parent: the process id of the sweeper.
    """
    _end_with_parent(parent, lifeline)
    serve(Connection(jobs))


def serve(connection: Any) -> None:
    """Run the jobs that arrive on a connection, until it is closed."""
    # Ctrl-C reaches all processes of a terminal. Outside of a job it ends this one, without a
    # traceback of what it happened to be importing. A sweep in the background ignores it.
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    # These bytes come from the parent process; no file and no other user can write to the pipe.
    sys.path[:], sys.argv[:] = pickle.loads(connection.recv_bytes())
    hydra_context, task, singletons = cloudpickle.loads(connection.recv_bytes())
    from hydra.core.singleton import Singleton
    from hydra.core.utils import setup_globals

    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # They are written to a file, whose encoding must not depend on the locale.
            with suppress(OSError, ValueError):
                stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    setup_globals()
    Singleton.set_state(singletons)
    while True:
        try:
            config = cloudpickle.loads(connection.recv_bytes())
        except EOFError:
            return
        _run(hydra_context, task, config)
        connection.send_bytes(DONE)
        if not gc.get_freeze_count():
            # What the first job has imported stays: half a million objects. To search them
            # for garbage, as a job may do at its end, takes a quarter of a second.
            gc.collect()
            gc.freeze()


def _run(hydra_context: Any, task: Any, config: Any) -> None:
    """Run one job. The task records its outcome in the study's storage."""
    from hydra.core.utils import run_job

    directory = Path(config.hydra.sweep.dir, str(config.hydra.sweep.subdir))
    with _redirect_output(directory / CONSOLE), _keyboard_interrupt():
        try:
            run_job(
                hydra_context=hydra_context,
                task_function=task,
                config=config,
                job_dir_key="hydra.sweep.dir",
                job_subdir_key="hydra.sweep.subdir",
            )
        except BaseException:
            # A KeyboardInterrupt or SystemExit of the job ends the job, not the worker.
            traceback.print_exc()


@contextmanager
def _keyboard_interrupt() -> Iterator[None]:
    """Let SIGINT raise KeyboardInterrupt, as a job expects that catches no signals itself."""
    before = signal.getsignal(signal.SIGINT)
    if before is signal.SIG_DFL:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def _redirect_output(path: Path) -> Iterator[None]:
    """Append everything that is printed to a file, including the output of C libraries.

    Replacing `sys.stdout` would miss the latter, so the descriptors 1 and 2 are replaced.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    saved = [(fd, os.dup(fd)) for fd in (1, 2)]
    with path.open("ab") as file:
        for fd, _ in saved:
            os.dup2(file.fileno(), fd)
    try:
        yield
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        for fd, copy in saved:
            os.dup2(copy, fd)
            os.close(copy)


def _end_with_parent(parent: int, lifeline: int) -> None:
    """Make this process end when the sweeper does, even if that is killed.

    A worker that survived would keep the accelerator, and would keep writing into the
    directory of a trial that the next sweeper resumes. On Linux the kernel kills the worker;
    elsewhere, and in addition, a thread waits for the end of the lifeline.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        # The parent may have died before the call above.
        if os.getppid() != parent:
            os._exit(1)

    def watch() -> None:
        os.read(lifeline, 1)  # returns when the sweeper's end of the pipe is closed
        os._exit(1)

    threading.Thread(target=watch, name="lifeline", daemon=True).start()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:4]))
