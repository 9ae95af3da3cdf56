"""Forks the local workers of a sweep from a process in which slow libraries are imported.

The sweep is itself a process that `warm_processes` has forked. Before its script runs, it forks
a nursery: a child that only waits to be asked for workers. The nursery is as the server was,
without threads, connections and settings of the sweep. A worker becomes a child of the sweep:
the process that forks it ends immediately, and the sweep adopts orphans meanwhile.
"""

import ctypes
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from typing import Any, NoReturn

import forked_process

WORKER = "hydra_plugins.framesweep_sweeper.workers._worker"
PR_SET_CHILD_SUBREAPER = 36
"""From <sys/prctl.h>: whether this process becomes the parent of its descendants' orphans."""

MAX_BYTES = 2**17
MAX_DESCRIPTORS = 8


def prepare(is_warm: Callable[[dict[str, str]], bool]) -> None:
    """Let `subprocess.Popen` fork the workers that this process starts.

    Args:
        is_warm: Whether what is imported here is as it would be in an environment.
    """
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    if os.fork() == 0:
        ours.close()
        # What the sweep prints ends with the sweep.
        nothing = [os.open(os.devnull, os.O_RDWR) for _ in range(3)]
        forked_process.place_descriptors(nothing, range(3))
        _serve(theirs)
    theirs.close()
    cold: Any = subprocess.Popen

    class WorkerPopen(subprocess.Popen):
        """A worker is forked by the nursery, and any other process starts as always."""

        def _execute_child(self: Any, *arguments: Any) -> None:
            given = dict(zip(EXECUTE_PARAMETERS, arguments, strict=False))
            words, environment = given["args"], given["env"]
            if (
                isinstance(words, list)
                and words[1:3] == ["-m", WORKER]
                and is_warm(environment)
            ):
                self.pid = _ask(ours, words[3:], given)
                self._child_created = True
                self._close_pipe_fds(*(given[name] for name in PIPES))
            else:
                cold._execute_child(self, *arguments)

    subprocess.Popen = WorkerPopen  # type: ignore[misc]


PIPES = ("p2cread", "p2cwrite", "c2pread", "c2pwrite", "errread", "errwrite")
EXECUTE_PARAMETERS = (
    *("args", "executable", "preexec_fn", "close_fds", "pass_fds", "cwd", "env"),
    *("startupinfo", "creationflags", "shell", *PIPES),
)
"""Of `Popen._execute_child`, as far as they matter here."""


def _ask(nursery: socket.socket, arguments: list[str], given: dict[str, Any]) -> int:
    """Return the id of a new worker, which is a child of this process."""
    files = [given[name] for name in ("p2cread", "c2pwrite", "errwrite")]
    streams = [number if fd == -1 else fd for number, fd in enumerate(files)]
    job = {
        "arguments": arguments,
        "folder": os.getcwd(),  # noqa: PTH109
        "environment": given["env"],
        "descriptors": list(given["pass_fds"]),
    }
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    prctl(PR_SET_CHILD_SUBREAPER, 1)
    try:
        socket.send_fds(nursery, [json.dumps(job).encode()], [*streams, *job["descriptors"]])
        return int(nursery.recv(MAX_BYTES))
    finally:
        prctl(PR_SET_CHILD_SUBREAPER, 0)


def _serve(sweep: socket.socket) -> NoReturn:
    """Fork a worker for each message, until the sweep ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    while True:
        message, descriptors, _, _ = socket.recv_fds(sweep, MAX_BYTES, MAX_DESCRIPTORS)
        if not message:
            os._exit(0)
        pid = _fork_orphan(partial(_become, sweep, json.loads(message), descriptors))
        for fd in descriptors:
            os.close(fd)
        sweep.send(b"%d" % pid)


def _fork_orphan(become: Callable[[], NoReturn]) -> int:
    """Return the id of a new process in a group of its own, whose parent has ended."""
    orphaned, keep = os.pipe()
    ids, send = os.pipe()
    between = os.fork()
    if between == 0:
        pid = os.fork()
        if pid == 0:
            os.close(keep)
            os.read(orphaned, 1)  # until the process in between has been waited for
            for fd in (orphaned, ids, send):
                os.close(fd)
            become()
        os.setpgid(pid, 0)
        os.write(send, b"%d" % pid)
        os._exit(0)
    pid = int(os.read(ids, 20))
    os.waitpid(between, 0)
    for fd in (orphaned, keep, ids, send):
        os.close(fd)
    return pid


def _become(sweep: socket.socket, job: dict[str, Any], descriptors: list[int]) -> NoReturn:
    """Run the worker's module in this process, and end as Python ends."""
    sweep.close()
    forked_process.place_descriptors(descriptors, [0, 1, 2, *job["descriptors"]])
    forked_process.open_streams()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.chdir(job["folder"])
    os.environ.clear()
    os.environ.update(job["environment"])
    sys.argv[:] = ["-m", *job["arguments"]]
    forked_process.end(
        forked_process.run(
            lambda: runpy.run_module(WORKER, run_name="__main__", alter_sys=True)
        )
    )
