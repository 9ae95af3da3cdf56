"""What a replayed search found, and when."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Replay:
    """What a search found, and when.

    Attributes:
        results: (virtual seconds, objective) of each completed trial, in the order of time.
        num_trials: trials that were started.
        num_pruned: trials that were pruned.
        search_seconds: CPU seconds of the search itself, per trial.
        idle_share: share of the workers' time in which they ran no trial.
        seconds: virtual seconds of the search.
    """

    results: list[tuple[float, float]]
    num_trials: int
    num_pruned: int
    search_seconds: float
    idle_share: float
    seconds: float

    def find_best(self, seconds: float) -> float | None:
        """Return the best objective of the trials completed by `seconds`, or None."""
        return max((value for end, value in self.results if end <= seconds), default=None)

    def seconds_to(self, goal: float) -> float | None:
        """Return when a trial had first completed with at least `goal`, or None."""
        return next((end for end, value in self.results if value >= goal), None)
