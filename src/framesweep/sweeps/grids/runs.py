"""Ranks the tracked runs of a grid, of which earlier versions kept no study."""

import math
from collections.abc import Sequence

from framesweep.sweeps.context import SWEPT_PREFIX
from framesweep.tracking import RunInfo


def rank_runs(runs: Sequence[RunInfo], metric: str, *, maximize: bool) -> list[RunInfo]:
    """Return the runs that have finished with a result, the best first."""
    done = [
        run
        for run in runs
        if run.status == "FINISHED" and not math.isnan(run.metrics.get(metric, math.nan))
    ]
    return sorted(done, key=lambda run: run.metrics[metric], reverse=maximize)


def swept_values(run: RunInfo) -> dict[str, str]:
    """Return key -> value of what the sweep varies, for one of its runs."""
    return {
        key.removeprefix(SWEPT_PREFIX): value
        for key, value in run.params.items()
        if key.startswith(SWEPT_PREFIX)
    }
