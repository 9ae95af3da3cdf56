"""The worker processes of a run: they train with rank 0, which alone writes and tracks."""

import os
import sys
from datetime import timedelta

from framesweep.config.composition import load
from framesweep.distributed.collectives import ProcessGroup
from framesweep.distributed.launch import CONFIG_KEY, READY_KEY, connect
from framesweep.errors import Interrupted, NonFiniteLossError
from framesweep.runs.experiment import build_experiment
from framesweep.system.signals import StopRequest, stop_request
from framesweep.system.streams import flush_streams
from framesweep.training.callbacks import NoOpCallback
from framesweep.training.checkpoints import NoCheckpoints

PREPARATION_TIMEOUT = timedelta(days=30)
"""Longest time that rank 0 may take to prepare the data."""


def run_worker() -> None:
    """Train as rank 1 or higher until the run ends.

    Raises:
        RankLostError: if another process ended or does not respond.
        UserError: if this process cannot read what rank 0 can.
    """
    store, rank, size = connect()
    store.set_timeout(PREPARATION_TIMEOUT)
    config = load(store.get(CONFIG_KEY).decode(), [], f"config of rank {rank}")
    process_group = ProcessGroup(rank, size, store, config.hardware.timeout_minutes)
    experiment = build_experiment(config, process_group)
    with stop_request() as stop:
        store.set(f"{READY_KEY}/{rank}", "")
        process_group.init(experiment.components.hardware.device)
        try:
            experiment.fit(NoCheckpoints(), _SignalsOnly(stop))
        except (Interrupted, NonFiniteLossError) as error:
            sys.exit(error.exit_code)  # rank 0 reports the error
        process_group.barrier()
        process_group.destroy()


def run_process() -> None:
    """Run a worker; if its training was stopped, end the process without its cleanup.

    The threads of the process group wait for others that have ended, and C++ ends a process
    that leaves such threads behind with a line of its own.
    """
    try:
        run_worker()
    except SystemExit as error:
        flush_streams()
        os._exit(error.code if isinstance(error.code, int) else 1)


class _SignalsOnly(NoOpCallback):
    """Ignores all reports and asks to stop when a signal arrives."""

    def __init__(self, stop: StopRequest) -> None:
        self._stop = stop

    def stop_signal(self) -> int:
        return self._stop()
