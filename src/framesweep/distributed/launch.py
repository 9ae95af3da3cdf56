"""How the processes of one run come about: by torchrun, or started by the first of them.

Rank 0 is the run: it composes the config, prepares the data, tracks, keeps checkpoints and
reports to a sweep. The others wait for its config, build the same experiment and follow.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import torch
from torch.distributed import TCPStore, rendezvous  # type: ignore[attr-defined]

from framesweep.config import HardwareConfig
from framesweep.distributed.collectives import ALONE, ProcessGroup
from framesweep.errors import RankLostError

ENVIRONMENT = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
"""Variables by which torchrun, or the first process, tells each of them its place."""
CONFIG, READY = "framesweep/config", "framesweep/ready"
"""Keys of the store that the processes share."""
POLL_SECONDS, END_SECONDS = 0.05, 2.0

Followers = Sequence[subprocess.Popen[bytes]]


def launched() -> bool:
    """Whether this process is one of several that torchrun, or a run, has started."""
    return all(name in os.environ for name in ENVIRONMENT) and os.environ["WORLD_SIZE"] != "1"


def settled(config: HardwareConfig) -> HardwareConfig:
    """The config with as many processes as are to be started here: none under torchrun."""
    return replace(config, processes=1) if launched() else config


@contextmanager
def leading(config: HardwareConfig) -> Iterator[ProcessGroup]:
    """The ranks of a run whose first is this process; the others are started where needed.

    At the end none of these is left.

    Raises:
        RankLostError: one of them is gone; it says which, and how it ended.
    """
    place, followers = _places(config.processes)
    if place is None:
        yield ALONE
        return
    leader = Leader(place, config.timeout_minutes, followers)
    try:
        yield leader
    except RankLostError as error:
        raise _worded(error, followers) from error
    finally:
        for follower in followers:
            follower.kill()
            follower.wait()
        leader.leave()


def _places(processes: int) -> tuple[tuple[Any, int, int] | None, Followers]:
    """This process's place among several, and those that were started for it."""
    if launched():
        return join(), ()
    if processes == 1:
        return None, ()
    store = TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    followers = [_start(rank, processes, store.port) for rank in range(1, processes)]
    return (store, 0, processes), followers


def join() -> tuple[Any, int, int]:
    """The store that the processes share, this one's rank, and their number."""
    store, rank, size = next(rendezvous("env://"))
    return store, rank, size


class Leader(ProcessGroup):
    """Rank 0 of several."""

    def __init__(
        self, place: tuple[Any, int, int], minutes: float, followers: Followers
    ) -> None:
        store, rank, size = place
        super().__init__(rank, size, store, minutes)
        self._followers = followers

    def begin(self, config: str, device: torch.device) -> None:
        """Lets the others build what `config` says, and waits until they have."""
        self._store.set(CONFIG, config)
        keys = [f"{READY}/{rank}" for rank in range(1, self.size)]
        while not self._store.check(keys):
            if _deaths(self._followers):
                raise RankLostError("a process ended before training began")
            time.sleep(POLL_SECONDS)
        self.meet(device)


def _start(rank: int, size: int, port: int) -> subprocess.Popen[bytes]:
    """Starts one more process of this run, out of reach of the terminal's Ctrl-C."""
    place = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": size, "MASTER_PORT": port}
    return subprocess.Popen(
        [sys.executable, "-c", "from framesweep.cli import train; train()"],
        env={
            **os.environ,
            "MASTER_ADDR": "127.0.0.1",
            **{key: str(value) for key, value in place.items()},
        },
        stdin=subprocess.DEVNULL,
        process_group=0,
    )


def _worded(error: RankLostError, followers: Followers) -> RankLostError:
    """The error with how a process ended, where one has."""
    deadline = time.monotonic() + END_SECONDS
    while not (deaths := _deaths(followers)) and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
    if not deaths:
        return error
    return RankLostError(f"{', '.join(deaths)}; the last checkpoint is kept")


def _deaths(followers: Followers) -> list[str]:
    codes = ((rank, process.poll()) for rank, process in enumerate(followers, start=1))
    return [
        f"rank {rank} was killed by {signal.Signals(-code).name}"
        if code < 0
        else f"rank {rank} ended with code {code}"
        for rank, code in codes
        if code is not None
    ]
