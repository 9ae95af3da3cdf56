"""Runs a function in several processes that train together."""

import io
import multiprocessing
import sys
import traceback
from collections.abc import Callable
from typing import Any

import cloudpickle
import torch
from torch.distributed import TCPStore

from framesweep.distributed.collectives import ProcessGroup

SECONDS = 600
CONTEXT = multiprocessing.get_context("forkserver")
# Forked from a process that has imported all but computed nothing, children start quickly,
# and find no lock that another thread held.
CONTEXT.set_forkserver_preload(["framesweep.training.loop", "framesweep.kernels.loops.patches"])


def in_ranks(size: int, function: Callable[..., Any], *arguments: Any) -> list[Any]:
    """Return what `function(process_group, *arguments)` returns on each of `size` ranks.

    The function itself calls `process_group.init`. An error in it is raised here; a process
    that was killed counts as having returned None.
    """
    cloudpickle.register_pickle_by_value(sys.modules[function.__module__])
    job = cloudpickle.dumps((function, arguments))
    store = TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    pipes, processes = [], []
    for rank in range(size):
        pipe, theirs = CONTEXT.Pipe(duplex=False)
        process = CONTEXT.Process(target=_child, args=(theirs, rank, size, store.port, job))
        process.start()
        theirs.close()
        pipes.append(pipe)
        processes.append(process)
    try:
        outcomes = [_outcome(pipe) for pipe in pipes]
    finally:
        for process in processes:
            process.kill()
            process.join()
    for rank, (error, _) in enumerate(outcomes):
        assert not error, f"rank {rank}: {error}"
    return [value for _, value in outcomes]


def _outcome(pipe: Any) -> tuple[str, Any]:
    if not pipe.poll(SECONDS):
        return "does not answer", None
    try:
        error, value = pipe.recv()
    except EOFError:
        return "", None
    return error, None if error else torch.load(io.BytesIO(value), weights_only=True)


def _child(pipe: Any, rank: int, size: int, port: int, job: bytes) -> None:
    torch.set_num_threads(1)
    try:
        store = TCPStore("127.0.0.1", port, is_master=False)
        process_group = ProcessGroup(rank, size, store, timeout_minutes=0.5)
        function, arguments = cloudpickle.loads(job)
        value = io.BytesIO()
        torch.save(function(process_group, *arguments), value)
        pipe.send(("", value.getvalue()))
        process_group.destroy()
    except BaseException:
        pipe.send((traceback.format_exc(), None))
