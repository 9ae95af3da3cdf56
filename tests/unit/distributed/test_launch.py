"""How the processes of a run find each other, and what is said of one that ended."""

import errno
import signal
import subprocess
import sys

import pytest
import torch
from torch.distributed import TCPStore

from framesweep.config import HardwareConfig
from framesweep.distributed import launch
from framesweep.distributed.collectives import SINGLE_PROCESS
from framesweep.distributed.launch import (
    CONFIG_KEY,
    READY_KEY,
    MainProcessGroup,
    Membership,
    is_distributed,
    open_process_group,
    resolve_processes,
)
from framesweep.errors import RankLostError

TORCHRUN = {"RANK": "0", "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29500"}


@pytest.fixture(autouse=True)
def _no_torchrun(monkeypatch):
    for name in launch.ENVIRONMENT:
        monkeypatch.delenv(name, raising=False)


def start(code):
    """A worker that runs Python code instead of training."""
    return subprocess.Popen([sys.executable, "-c", code])


def test_under_torchrun_a_run_starts_no_processes_of_its_own(monkeypatch):
    config = HardwareConfig(processes=4)
    assert resolve_processes(config).processes == 4
    assert not is_distributed()
    for name, value in TORCHRUN.items():
        monkeypatch.setenv(name, value)
    assert is_distributed()
    assert resolve_processes(config).processes == 1


def test_torchrun_with_one_process_is_not_distributed(monkeypatch):
    for name, value in {**TORCHRUN, "WORLD_SIZE": "1"}.items():
        monkeypatch.setenv(name, value)
    assert not is_distributed()


def test_a_run_of_one_process_starts_no_worker():
    with open_process_group(HardwareConfig()) as process_group:
        assert process_group is SINGLE_PROCESS


@pytest.mark.parametrize(
    ("code", "ended"),
    [
        ("import sys; sys.exit(3)", "rank 1 ended with code 3"),
        (
            f"import os; os.kill(os.getpid(), {signal.SIGKILL:d})",
            "rank 1 was killed by SIGKILL",
        ),
        pytest.param(
            "import os, signal; os.kill(os.getpid(), signal.SIGRTMIN + 5)",
            f"rank 1 was killed by signal {getattr(signal, 'SIGRTMIN', 34) + 5}",
            marks=pytest.mark.skipif(not hasattr(signal, "SIGRTMIN"), reason="needs Linux"),
        ),
    ],
)
def test_the_error_names_the_rank_that_ended(monkeypatch, code, ended):
    monkeypatch.setattr(launch, "_start_worker", lambda rank, size, port: start(code))

    def run():
        with open_process_group(HardwareConfig(processes=2)) as process_group:
            process_group.start("config", torch.device("cpu"))

    with pytest.raises(RankLostError, match=f"{ended}; the last checkpoint is kept"):
        run()


def test_workers_are_killed_when_the_run_ends(monkeypatch):
    workers = []

    def start_sleeping(rank, size, port):
        workers.append(start("import time; time.sleep(600)"))
        return workers[-1]

    monkeypatch.setattr(launch, "_start_worker", start_sleeping)
    with open_process_group(HardwareConfig(processes=3)) as process_group:
        assert (process_group.rank, process_group.size) == (0, 3)
    assert [worker.poll() for worker in workers] == [-signal.SIGKILL] * 2


def test_workers_are_killed_if_another_one_cannot_be_started(monkeypatch):
    workers: list[subprocess.Popen[bytes]] = []

    def start_first(rank, size, port):
        if workers:
            raise OSError(errno.EAGAIN, "Resource temporarily unavailable")
        workers.append(start("import time; time.sleep(600)"))
        return workers[-1]

    monkeypatch.setattr(launch, "_start_worker", start_first)
    with (
        pytest.raises(OSError, match="temporarily unavailable"),
        open_process_group(HardwareConfig(processes=3)),
    ):
        pass
    try:
        assert workers[0].poll() == -signal.SIGKILL
    finally:
        workers[0].kill()


def test_rank_0_sends_its_config_and_waits_until_all_workers_are_ready(monkeypatch):
    store = TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    process_group = MainProcessGroup(Membership(store, 0, 3), 1.0, ())
    ready: list[object] = []

    def set_ready(seconds):
        ready.append(len(ready) + 1)
        store.set(f"{READY_KEY}/{ready[-1]}", "")

    monkeypatch.setattr(launch.time, "sleep", set_ready)
    monkeypatch.setattr(MainProcessGroup, "init", lambda self, device: ready.append("init"))
    process_group.start("text", torch.device("cpu"))
    assert store.get(CONFIG_KEY) == b"text"
    assert ready == [1, 2, "init"]
