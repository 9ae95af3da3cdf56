"""What the further processes of a run do: train along with the first, and keep nothing."""

import sys
from datetime import timedelta

from framesweep.config.composition import load
from framesweep.distributed.collectives import ProcessGroup
from framesweep.distributed.launch import CONFIG, READY, join
from framesweep.errors import Interrupted, NonFiniteLossError
from framesweep.runs.experiment import build_experiment
from framesweep.system.signals import StopRequest, stop_request
from framesweep.training.callbacks import NoOpCallback
from framesweep.training.checkpoints import NoCheckpoints

PREPARATION = timedelta(days=30)
"""Longest that the first process may take to prepare the data."""


def follow() -> None:
    """Trains as rank 1 or higher until the run is done.

    Raises:
        RankLostError: another process is gone.
        UserError: what the first process can read, this one cannot.
    """
    store, rank, size = join()
    store.set_timeout(PREPARATION)
    config = load(store.get(CONFIG).decode(), [], f"config of rank {rank}")
    ranks = ProcessGroup(rank, size, store, config.hardware.timeout_minutes)
    experiment = build_experiment(config, ranks)
    with stop_request() as stop:
        store.set(f"{READY}/{rank}", "")
        ranks.meet(experiment.parts.hardware.device)
        try:
            experiment.fit(NoCheckpoints(), _Silent(stop))
        except (Interrupted, NonFiniteLossError) as error:
            sys.exit(error.exit_code)  # the first process says it
        ranks.part()


class _Silent(NoOpCallback):
    """A listener that only knows of signals."""

    def __init__(self, stop: StopRequest) -> None:
        self._stop = stop

    def stop_signal(self) -> int:
        return self._stop()
