"""The number of threads to compute with."""

import os

from hydra_plugins.framesweep_sweeper.workers import count_cores


def count_physical_cores() -> int:
    """Return how many threads to compute with: the physical cores that this process may use.

    That is OMP_NUM_THREADS if it is set, as it is in the local workers of a sweep, which share
    the cores out.
    """
    if (requested := os.environ.get("OMP_NUM_THREADS", "")).isdigit() and int(requested) > 0:
        return int(requested)
    return count_cores()
