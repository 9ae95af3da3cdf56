"""Follows the best epoch of a run, for the metrics that name its objectives."""

from collections.abc import Mapping, Sequence

from framesweep.sweeps.run_names import name_best
from framesweep.training.plan import improves


class BestSoFar:
    """The objectives in the best epoch so far, epoch by epoch.

    Logged after each epoch, they are curves whose last point is the result of the run. The
    other metrics of that epoch are in their own curves, at the step in the tag `best_epoch`.

    Args:
        objectives: The objective that decides which epoch is best, and further ones.
        maximize: Whether a larger value of the first is better.
    """

    def __init__(self, objectives: Sequence[str], *, maximize: bool) -> None:
        self._objectives = objectives
        self._maximize = maximize
        self._best: Mapping[str, float] | None = None

    def update(self, metrics: Mapping[str, float]) -> dict[str, float]:
        """Return the objectives in the best epoch, given the metrics of the next epoch."""
        first = self._objectives[0]
        best = None if self._best is None else self._best[first]
        if improves(metrics[first], best, maximize=self._maximize):
            self._best = metrics
        assert self._best is not None
        return {name_best(n): self._best[n] for n in self._objectives if n in self._best}
