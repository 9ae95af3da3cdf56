"""The worker processes of a run: they train with rank 0, which alone writes and tracks."""

import sys
from datetime import timedelta

from framesweep.config.composition import load
from framesweep.distributed.collectives import ProcessGroup
from framesweep.distributed.launch import CONFIG_KEY, READY_KEY, connect
from framesweep.errors import Interrupted, NonFiniteLossError
from framesweep.runs.experiment import build_experiment
from framesweep.system.signals import StopRequest, stop_request
from framesweep.training.callbacks import NoOpCallback
from framesweep.training.checkpoints import NoCheckpoints

PREPARATION = timedelta(days=30)
"""Longest that the first process may take to prepare the data."""


def run_worker() -> None:
    """Trains as rank 1 or higher until the run is done.

    Raises:
        RankLostError: another process is gone.
        UserError: what the first process can read, this one cannot.
    """
    store, rank, size = connect()
    store.set_timeout(PREPARATION)
    config = load(store.get(CONFIG_KEY).decode(), [], f"config of rank {rank}")
    process_group = ProcessGroup(rank, size, store, config.hardware.timeout_minutes)
    experiment = build_experiment(config, process_group)
    with stop_request() as stop:
        store.set(f"{READY_KEY}/{rank}", "")
        process_group.init(experiment.components.hardware.device)
        try:
            experiment.fit(NoCheckpoints(), _SignalsOnly(stop))
        except (Interrupted, NonFiniteLossError) as error:
            sys.exit(error.exit_code)  # the first process says it
        process_group.barrier()
        process_group.destroy()


class _SignalsOnly(NoOpCallback):
    """Ignores all reports and asks to stop when a signal arrives."""

    def __init__(self, stop: StopRequest) -> None:
        self._stop = stop

    def stop_signal(self) -> int:
        return self._stop()
