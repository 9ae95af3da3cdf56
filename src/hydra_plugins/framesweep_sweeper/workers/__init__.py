"""Where jobs run: in local worker processes, or wherever another Hydra launcher puts them."""

from hydra_plugins.framesweep_sweeper.workers._cores import count_cores
from hydra_plugins.framesweep_sweeper.workers._devices import VISIBLE, read_visible
from hydra_plugins.framesweep_sweeper.workers._signals import (
    REQUEUE,
    handled_by,
    list_stop_signals,
)

__all__ = [
    "REQUEUE",
    "VISIBLE",
    "count_cores",
    "handled_by",
    "list_stop_signals",
    "read_visible",
]
