"""A local worker process: imports once, then runs one job after another.

Started as `python -m hydra_plugins.framesweep_sweeper.workers._worker JOBS LIFELINE PARENT`:
two inherited file descriptors and the id of the sweeper's process. It ends when the sweeper
closes either descriptor, or dies.
"""

import ctypes
import os
import pickle
import signal
import sys
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import cloudpickle

CONSOLE = "console.log"
PR_SET_PDEATHSIG = 1
DONE = b"done"


def main(jobs: int, lifeline: int, parent: int) -> None:
    _die_with(parent, lifeline)
    connection = Connection(jobs)
    sys.path[:], sys.argv[:] = pickle.loads(connection.recv_bytes())
    hydra_context, task, singletons = cloudpickle.loads(connection.recv_bytes())
    from hydra.core.singleton import Singleton
    from hydra.core.utils import setup_globals

    setup_globals()
    Singleton.set_state(singletons)
    while True:
        try:
            config = cloudpickle.loads(connection.recv_bytes())
        except EOFError:
            return
        _run(hydra_context, task, config)
        connection.send_bytes(DONE)


def _run(hydra_context: Any, task: Any, config: Any) -> None:
    """Runs one job; its outcome goes to the study's storage, what it prints to a file."""
    from hydra.core.utils import run_job

    directory = Path(config.hydra.sweep.dir, str(config.hydra.sweep.subdir))
    with _output_to(directory / CONSOLE):
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
def _output_to(path: Path) -> Iterator[None]:
    """Sends what is printed, also by libraries in C, to the end of a file."""
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


def _die_with(parent: int, lifeline: int) -> None:
    """Lets this process not outlive the sweeper, whatever it is doing."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)

    def watch() -> None:
        os.read(lifeline, 1)
        os._exit(1)

    threading.Thread(target=watch, name="lifeline", daemon=True).start()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:4]))
