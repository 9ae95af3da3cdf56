"""Starts train.py and framesweep as processes in which their modules are imported already.

Most of the seconds of a small run are imports. A server process imports once what they need,
lets Hydra find its plugins, and composes a config.
Each command is a fork of it, and from then on a process like any other: it has its own folder,
environment, streams, arguments and signals, and ends as Python ends. What the imports do is
tested by processes that start from nothing, in `e2e/test_startup.py` and those of the wheel. A
command whose environment differs in a variable that a library reads while it is imported also
starts from nothing.
"""

import contextlib
import functools
import gc
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any, NoReturn

import forked_process
import warm_workers

TESTS = Path(__file__).parent
PRELOADED = (
    "framesweep.cli",
    "framesweep.train_command",
    "framesweep.commands.best",
    "framesweep.commands.evaluate",
    "framesweep.commands.predict",
    "framesweep.data.readers.hw1p2",
    "framesweep.evaluation.report",
    "framesweep.kernels.loops.columns",  # numba's loops, without the settings of a run
    "framesweep.models.mlp",
    "framesweep.runs.job",
    "framesweep.runs.reporting.run_page",
    "framesweep.runs.run",
    "framesweep.sweeps.search_parent",
    "framesweep.tracking.mlflow_writer",
    "framesweep.training.optimizers.adam",
    "alembic.command",
    "alembic.config",
    "filelock",
    "hydra._internal.config_loader_impl",
    "hydra._internal.core_plugins",
    "hydra._internal.hydra",
    "hydra._internal.logging_config",
    "hydra._internal.utils",
    "hydra.utils",
    "hydra_plugins.framesweep_sweeper.sweeper",
    "matplotlib.backends.backend_agg",
    "matplotlib.figure",
    "mlflow.models",
    "mlflow.pyfunc",
    "mlflow.store.db.utils",
    "mlflow.store.tracking.sqlalchemy_store",
    "mlflow.store.tracking.sqlalchemy_workspace_store",
    "optuna",
    "optuna.storages._rdb.storage",
    "rapidfuzz.distance.Levenshtein",
    "rich.console",
    "rich.progress",
    "safetensors.torch",
    "scipy.stats",
    "sqlalchemy.dialects.sqlite",
    "torch.distributed",
    "torch.utils.serialization.config",
)
READ_AT_IMPORT = (
    *("PYTHON", "LD_", "MALLOC_", "GLIBC_", "LC_", "LANG", "TZ", "FAKETIME", "CUDA_", "TORCH"),
    *("OMP_", "GOMP_", "KMP_", "MKL_", "OPENBLAS_", "NUMBA_", "MPL"),
)
"""Beginnings of the names of variables that are read while libraries are loaded or imported."""


def popen(
    command: list[str], *, env: dict[str, str], warm_workers: bool = False, **options: Any
) -> "subprocess.Popen[str]":
    """Return the running process of a Python script, as `subprocess.Popen` does.

    Args:
        command: The interpreter, unless the script names it, the script and its arguments.
        env: The environment of the process.
        warm_workers: Whether the workers of a sweep are forked, too. The sweep then has another
            child, from which they are forked, and its workers have the sweep's command line.
        options: Those of `Popen`. With another than these, the process starts from nothing.
    """
    known = {"cwd", "stdout", "stderr", "stdin", "text", "start_new_session"}
    if options.keys() <= known and sys.platform == "linux" and _is_like_ours(env):
        start = WarmSweepPopen if warm_workers else WarmPopen
        return start(command, env=env, **options)
    return subprocess.Popen(command, env=env, **options)


def _is_like_ours(environment: dict[str, str]) -> bool:
    ours, theirs = (
        {
            name: value
            for name, value in names.items()
            if name.startswith(READ_AT_IMPORT) and name not in WITHOUT_EFFECT
        }
        for names in (ENVIRONMENT, environment)
    )
    return ours == theirs


EMPTY_PICTURES = "TESTS_EMPTY_PICTURES"
"""Environment variable that, if set, lets warm processes save pictures as empty files: drawing
takes a third of the time of a tiny run."""

WITHOUT_EFFECT = (
    *("MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "GOMP_SPINCOUNT"),
    *("KMP_DUPLICATE_LIB_OK", "KMP_INIT_AT_FORK"),
)
"""Workers get the first two as a share of the cores, but a run sets its own number of threads.
Importing framesweep sets the third, for threads that wait for others; in tests there is one.
Importing sklearn, as tests do, sets the others, which torch's GNU OpenMP does not read."""

ENVIRONMENT = dict(os.environ)
"""The environment of the server, whatever a test sets in that of this process."""
_STARTING = threading.Lock()

EXECUTE_PARAMETERS = (
    *("executable", "preexec_fn", "close_fds", "pass_fds", "cwd", "env", "startupinfo"),
    *("creationflags", "shell", "p2cread", "p2cwrite", "c2pread", "c2pwrite", "errread"),
    *("errwrite", "restore_signals", "gid", "gids", "uid", "umask", "start_new_session"),
)
"""Of `Popen._execute_child`, after the arguments."""


class WarmPopen(subprocess.Popen):
    """A process that the server forks instead of this one."""

    warm_workers = False

    def _execute_child(self: Any, args: Any, *others: Any) -> None:
        given = dict(zip(EXECUTE_PARAMETERS, others, strict=False))
        words = list(map(str, args))
        job = {
            "arguments": words[1:] if words[0] == sys.executable else words,
            "folder": str(given["cwd"] or Path.cwd()),
            "environment": given["env"],
            "new_session": given["start_new_session"],
            "warm_workers": self.warm_workers,
        }
        files = [given[name] for name in ("p2cread", "c2pwrite", "errwrite")]
        self._connection = socket.socket(socket.AF_UNIX)
        with _STARTING:
            address = _start_server()
        self._connection.connect("\0" + address)
        streams = [number if fd == -1 else fd for number, fd in enumerate(files)]
        socket.send_fds(self._connection, [b"!"], streams)
        self._connection.sendall(json.dumps(job).encode() + b"\n")
        self._answers = self._connection.makefile("rb")
        self.pid = int(self._answers.readline())
        self._child_created = True
        first = EXECUTE_PARAMETERS.index("p2cread")
        self._close_pipe_fds(*(given[name] for name in EXECUTE_PARAMETERS[first : first + 6]))

    def _try_wait(self: Any, wait_flags: int) -> tuple[int, int]:
        if wait_flags & os.WNOHANG and not select.select([self._connection], [], [], 0)[0]:
            return 0, 0
        answer = self._answers.readline()
        self._answers.close()
        self._connection.close()
        return self.pid, int(answer or signal.SIGKILL)

    def _internal_poll(self: Any, _deadstate: Any = None, **_: Any) -> int | None:
        if self.returncode is None and self._waitpid_lock.acquire(blocking=False):
            try:
                pid, status = self._try_wait(os.WNOHANG)
                if pid == self.pid:
                    self._handle_exitstatus(status)
            finally:
                self._waitpid_lock.release()
        return self.returncode


class WarmSweepPopen(WarmPopen):
    """A process whose workers are forked, too."""

    warm_workers = True


@functools.cache
def _start_server() -> str:
    """Start the server of this process, which ends with it, and return its address."""
    address = f"framesweep-tests-{os.getpid()}"
    reader, writer = os.pipe()
    subprocess.Popen(
        [sys.executable, __file__, address, str(writer)],
        env=ENVIRONMENT,
        cwd="/",
        pass_fds=[writer],
        stdin=subprocess.PIPE,
    )
    os.close(writer)
    with os.fdopen(reader) as ready:
        assert ready.readline() == "ready\n", "the server must start"
    return address


def main(address: str, ready: int) -> None:
    """Import the libraries, and fork a process for each command."""
    sys.path[:] = [folder for folder in sys.path if not folder.startswith(str(TESTS))]
    _preload()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("\0" + address)
        listener.listen(64)
        os.write(ready, b"ready\n")
        os.close(ready)
        while listener in select.select([listener, sys.stdin], [], [])[0]:
            connection, _ = listener.accept()
            with contextlib.suppress(ChildProcessError):
                while os.waitpid(-1, os.WNOHANG)[0]:
                    pass
            if os.fork() == 0:
                listener.close()
                os._exit(_serve(connection))
            connection.close()


def _preload() -> None:
    before = dict(os.environ)
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    for name in PRELOADED:
        __import__(name)
    from numba.core.registry import cpu_target

    from framesweep.config.composition import compose

    compose([])
    cpu_target.typing_context.refresh()
    cpu_target.target_context.refresh()
    os.environ.clear()
    os.environ.update(before)
    assert threading.active_count() == 1, threading.enumerate()
    gc.collect()
    gc.freeze()  # what the processes share need not be searched for garbage by each of them


def _serve(connection: socket.socket) -> int:
    """Fork the process of a command, and send its id and finally how it ended."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _, descriptors, _, _ = socket.recv_fds(connection, 1, 3)
    job = json.loads(connection.makefile("rb").readline())
    pid = os.fork()
    if pid == 0:
        connection.close()
        _become(job, descriptors)
    for fd in descriptors:
        os.close(fd)
    connection.sendall(b"%d\n" % pid)
    connection.sendall(b"%d\n" % os.waitpid(pid, 0)[1])
    return 0


def _become(job: dict[str, Any], descriptors: list[int]) -> NoReturn:
    """Run a command as a process of its own, and end this process with its code."""
    forked_process.place_descriptors(descriptors, range(3))
    forked_process.open_streams()
    if job["new_session"]:
        os.setsid()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.chdir(job["folder"])
    os.environ.clear()
    os.environ.update(job["environment"])
    script, *_ = sys.argv[:] = job["arguments"]
    sys.path.insert(0, str(Path(script).parent))
    composition: Any = sys.modules["framesweep.config.composition"]
    composition.register()  # its directories have a name of their own
    if EMPTY_PICTURES in os.environ:
        _leave_pictures_empty()
    if job["warm_workers"]:
        warm_workers.prepare(_is_like_ours)
    forked_process.end(forked_process.run(lambda: runpy.run_path(script, run_name="__main__")))


def _leave_pictures_empty() -> None:
    from matplotlib import figure

    def save(figure: Any, path: Path, **options: object) -> None:
        path.write_bytes(b"")

    changed: Any = figure.Figure
    changed.savefig = save


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
