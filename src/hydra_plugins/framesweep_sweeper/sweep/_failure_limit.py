"""When a sweep is stopped because too many of its trials fail."""

from collections.abc import Mapping
from typing import Any

from optuna.trial import FrozenTrial, TrialState

from hydra_plugins.framesweep_sweeper._errors import FailedSweepError
from hydra_plugins.framesweep_sweeper.sweep._settings import LoopSettings
from hydra_plugins.framesweep_sweeper.trials._trial_attrs import describe_failure

Z_95 = 1.96
"""The quantile of the normal distribution for a two-sided interval of 95 %."""


MOST_REJECTED = 1000
"""Points in a row that may violate a constraint; then the space is taken to have no other."""


class FailureLimit:
    """Counts the trials of one call of the sweeper, and compares failures with a bound.

    The observed share alone would stop a sweep whose very first trial failed. So the lower end
    of its confidence interval is compared, which exceeds the bound only if the failures can
    hardly be chance.

    Args:
        settings: the bound of the share, the total of the study, and the number of points of
            the space. As many failures as the total always stop the sweep.
    """

    def __init__(self, settings: LoopSettings) -> None:
        self._max_rate = settings.max_failure_rate
        self._n_trials = settings.n_trials
        self._num_points = settings.num_points
        self._succeeded = 0
        self._failed = 0
        self._rejected = 0  # since the last trial that ended otherwise
        self._points: set[str] = set()  # which of them are different
        self._last = "-"  # the reason and the message of the last failure

    def count_success(self) -> None:
        """Count a trial that was completed or pruned."""
        self._succeeded += 1
        self._rejected = 0
        self._points.clear()

    def count_rejection(self, params: Mapping[str, Any], violations: str) -> None:
        """Count a trial that was not run because it violates a constraint.

        Args:
            params: its parameters.
            violations: the constraints that it violates, with what was found.

        Raises:
            FailedSweepError: there seem to be no other points.
        """
        self._rejected += 1
        self._points.add(str(sorted(params.items())))
        if len(self._points) >= self._num_points:
            found = f"that all {self._num_points:.0f} points violate them"
        elif self._rejected >= MOST_REJECTED:
            found = f"{self._rejected} in a row that violate them"
        else:
            return
        raise FailedSweepError(
            f"hydra.sweeper.constraints: must allow points of the search space; found {found}, "
            f"the last with {violations}. Widen the bounds or the space"
        )

    def count_failure(self, trial: FrozenTrial) -> None:
        """Count a trial that has ended, if it failed in its last attempt.

        It raises nothing, because a trial may fail while the sweep is stopped.
        """
        if trial.state is not TrialState.FAIL:
            return
        self._failed += 1
        self._last = describe_failure(trial)

    def require_few(self) -> None:
        """Raise FailedSweepError if too many trials have failed by now."""
        if not self._failed:
            return
        ended = self._failed + self._succeeded
        found = f"{self._failed} of {ended} trials failed"
        if wilson_lower_bound(self._failed, ended) > self._max_rate:
            limit = f"hydra.sweeper.max_failure_rate={self._max_rate:g} allows"
            raise FailedSweepError(f"{found}, which is more than {limit}; last: {self._last}")
        if self._failed >= self._n_trials:
            limit = f"as many as hydra.sweeper.n_trials={self._n_trials}"
            raise FailedSweepError(f"{found}, which is {limit}; last: {self._last}")


def wilson_lower_bound(hits: int, total: int) -> float:
    """Return the lower end of the 95 % confidence interval of the share `hits` / `total`.

    The score interval of Wilson (1927, JASA 22:209) also holds for few trials and for shares of
    0 and 1, where the usual normal approximation fails.
    """
    share, z2 = hits / total, Z_95**2
    center = share + z2 / (2 * total)
    spread = Z_95 * (share * (1 - share) / total + z2 / (4 * total**2)) ** 0.5
    return float((center - spread) / (1 + z2 / total))
