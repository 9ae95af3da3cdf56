"""Starts the processes of one run, or connects those that torchrun has started.

Rank 0 is the run: it composes the config, prepares the data, tracks, writes checkpoints and
reports to a sweep. The workers, ranks 1 and higher, wait for its config, build the same
experiment, and compute their shard of each batch (see `runs.rank_worker`).
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, NamedTuple

import torch
from torch.distributed import TCPStore, rendezvous  # type: ignore[attr-defined]

from framesweep.config import HardwareConfig
from framesweep.distributed.collectives import SINGLE_PROCESS, ProcessGroup
from framesweep.errors import RankLostError

ENVIRONMENT = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
"""Variables through which torchrun, or rank 0, gives each process its rank."""
CONFIG_KEY, READY_KEY = "framesweep/config", "framesweep/ready"
"""Keys in the store that the processes share."""
POLL_SECONDS = 0.05
EXIT_SECONDS = 2.0
"""How long to wait for a lost worker's exit code, which says more than torch's error."""

Workers = Sequence[subprocess.Popen[bytes]]


class Membership(NamedTuple):
    """One process's place among those of a run."""

    store: Any
    rank: int
    size: int


def is_distributed() -> bool:
    """Return whether this process is one of several that torchrun, or a run, has started."""
    return all(name in os.environ for name in ENVIRONMENT) and os.environ["WORLD_SIZE"] != "1"


def resolve_processes(config: HardwareConfig) -> HardwareConfig:
    """Return the config with the number of processes to start here: one under torchrun."""
    return replace(config, processes=1) if is_distributed() else config


@contextmanager
def open_process_group(config: HardwareConfig) -> Iterator[ProcessGroup]:
    """Yield the process group of a run whose rank 0 is this process, starting its workers.

    Workers that were started here are killed on exit, whatever happens.

    Raises:
        RankLostError: A worker ended; the message says which and how, where that is known.
    """
    workers: list[subprocess.Popen[bytes]] = []
    process_group: ProcessGroup = SINGLE_PROCESS
    try:
        membership = _join(config.processes, workers)
        if membership is not None:
            process_group = MainProcessGroup(membership, config.timeout_minutes, workers)
        yield process_group
    except RankLostError as error:
        raise _name_lost_rank(error, workers) from error
    finally:
        for worker in workers:
            worker.kill()
            worker.wait()
        process_group.destroy()


def _join(processes: int, workers: list[subprocess.Popen[bytes]]) -> Membership | None:
    """Return this process's membership, None where it is alone.

    Each worker is added to `workers` as it starts, because the next one may fail to.
    """
    if is_distributed():
        return connect()
    if processes == 1:
        return None
    store = TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    for rank in range(1, processes):
        workers.append(_start_worker(rank, processes, store.port))
    return Membership(store, 0, processes)


def connect() -> Membership:
    """Connect to the store that the environment names, and return this one's membership."""
    return Membership(*next(rendezvous("env://")))


class MainProcessGroup(ProcessGroup):
    """The process group of several ranks as rank 0 holds it."""

    def __init__(
        self, membership: Membership, timeout_minutes: float, workers: Workers
    ) -> None:
        super().__init__(membership.rank, membership.size, membership.store, timeout_minutes)
        self._workers = workers

    def start(self, config: str, device: torch.device) -> None:
        """Send the config to the workers, wait until they have built it, and connect.

        The wait has no time limit, as a worker may have to prepare data first.

        Raises:
            RankLostError: A worker ended before it was ready.
        """
        self._store.set(CONFIG_KEY, config)
        keys = [f"{READY_KEY}/{rank}" for rank in range(1, self.size)]
        while not self._store.check(keys):
            if _describe_ended(self._workers):
                raise RankLostError("a process ended before training began")
            time.sleep(POLL_SECONDS)
        self.init(device)


def _start_worker(rank: int, size: int, port: int) -> subprocess.Popen[bytes]:
    """Start one worker, in a process group of its own, so that Ctrl-C reaches rank 0 alone.

    Rank 0 then stops all ranks after the same step, with a checkpoint.
    """
    place = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": size, "MASTER_PORT": port}
    return subprocess.Popen(
        [sys.executable, "-c", "from framesweep.cli import train; train()"],
        env={
            **os.environ,
            "MASTER_ADDR": "127.0.0.1",
            **{key: str(value) for key, value in place.items()},
        },
        stdin=subprocess.DEVNULL,
        **_own_group(),
    )


def _own_group() -> dict[str, Any]:
    """Return the options of Popen that start a child in a process group of its own."""
    if hasattr(os, "killpg"):
        return {"process_group": 0}
    return {"creationflags": getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)}


def _name_lost_rank(error: RankLostError, workers: Workers) -> RankLostError:
    """Return an error that names the workers that ended, or `error` where none has."""
    deadline = time.monotonic() + EXIT_SECONDS
    while not (ended := _describe_ended(workers)) and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
    if not ended:
        return error
    return RankLostError(f"{', '.join(ended)}; the last checkpoint is kept")


def _describe_ended(workers: Workers) -> list[str]:
    """Return one phrase for each worker that has ended."""
    codes = ((rank, process.poll()) for rank, process in enumerate(workers, start=1))
    return [
        f"rank {rank} was killed by {_name_signal(-code)}"
        if code < 0
        else f"rank {rank} ended with code {code}"
        for rank, code in codes
        if code is not None
    ]


def _name_signal(signum: int) -> str:
    try:
        return signal.Signals(signum).name
    except ValueError:  # Python names only the first and the last of the real-time signals
        return f"signal {signum}"
