"""When a sweep is stopped because too many of its trials fail."""

from hydra_plugins.framesweep_sweeper._errors import FailedSweepError

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
        max_rate: the bound, from 0 to 1.
        n_trials: the total of the study; as many failures always stop the sweep.
    """

    def __init__(self, max_rate: float, n_trials: int) -> None:
        self._max_rate = max_rate
        self._n_trials = n_trials
        self._succeeded = 0
        self._failed = 0
        self._rejected = 0  # since the last trial that ended otherwise

    def count_success(self) -> None:
        """Count a trial that was completed or pruned."""
        self._succeeded += 1
        self._rejected = 0

    def count_rejection(self) -> None:
        """Count a trial that was not run because it violates a constraint.

        Raises:
            FailedSweepError: there seem to be no other points.
        """
        self._rejected += 1
        if self._rejected >= MOST_REJECTED:
            raise FailedSweepError(
                "hydra.sweeper.constraints: must allow points of the search space; found "
                f"{self._rejected} in a row that violate them. Widen the bounds or the space"
            )

    def count_failure(self, last: str) -> None:
        """Count a trial that failed in its last attempt.

        Args:
            last: the reason and the message of that failure.

        Raises:
            FailedSweepError: too many trials have failed by now.
        """
        self._failed += 1
        ended = self._failed + self._succeeded
        rate = wilson_lower_bound(self._failed, ended)
        if rate > self._max_rate or self._failed >= self._n_trials:
            raise FailedSweepError(
                f"{self._failed} of {ended} trials failed, which is more than "
                f"hydra.sweeper.max_failure_rate={self._max_rate:g} allows; last: {last}"
            )


def wilson_lower_bound(hits: int, total: int) -> float:
    """Return the lower end of the 95 % confidence interval of the share `hits` / `total`.

    The score interval of Wilson (1927, JASA 22:209) also holds for few trials and for shares of
    0 and 1, where the usual normal approximation fails.
    """
    share, z2 = hits / total, Z_95**2
    center = share + z2 / (2 * total)
    spread = Z_95 * (share * (1 - share) / total + z2 / (4 * total**2)) ** 0.5
    return float((center - spread) / (1 + z2 / total))
