"""When a search ends before it has its total: its hours are over, or more trials gain nothing.

Whether a search has ended follows from what the study's storage keeps, so that every sweeper of
the study finds the same, and one that is started again after `kill -9` finds it immediately.
"""

import math
from collections.abc import Iterable
from typing import Any

from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from hydra_plugins.framesweep_sweeper._errors import SweepError
from hydra_plugins.framesweep_sweeper.trials._claims import ENDED
from hydra_plugins.framesweep_sweeper.trials._constraints import is_feasible, is_rejected

STAGNATED = "stagnated"
STAGNATED_TRIALS = 30
"""A search has stagnated once so many trials in a row have ended without a new best, as by the
default of `optuna.terminator.BestValueStagnationEvaluator`. That evaluator counts complete
trials only; with a pruner most of the later trials are pruned, and it would wait for ever."""

SECONDS_PER_HOUR = 3600.0


def read_stop_when(value: Any, num_objectives: int) -> float | str | None:
    """Return `hydra.sweeper.stop_when`: null, `stagnated`, or a value of the objective.

    Raises:
        SweepError: it is something else, or there are several objectives.
    """
    if value is None:
        return None
    if num_objectives > 1:
        raise SweepError(
            "hydra.sweeper.stop_when: must be null with several objectives, which have no "
            f"single best value; found {value}. Use hydra.sweeper.max_hours or n_trials"
        )
    if value == STAGNATED:
        return STAGNATED
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number) or isinstance(value, bool):
        raise SweepError(
            f"hydra.sweeper.stop_when: must be {STAGNATED}, or the value of the objective at "
            f"which to stop; found {value}"
        )
    return number


class SearchEnd:
    """The ends of a search other than its number of trials.

    Args:
        max_hours: the hours for which sweepers may work on the study; None for no limit.
        stop_when: as `read_stop_when` returns it.
        direction: the direction of the (first) objective.
    """

    def __init__(
        self, max_hours: float | None, stop_when: float | str | None, direction: StudyDirection
    ) -> None:
        self._max_hours = max_hours
        self._stop_when = stop_when
        self._sign = -1 if direction is StudyDirection.MAXIMIZE else 1

    @property
    def reads_trials(self) -> bool:
        """Whether the end depends on the results of trials."""
        return self._stop_when is not None

    def seconds_left(self, worked: float) -> float:
        """Return the seconds left to a study that was worked on for `worked` seconds."""
        if self._max_hours is None:
            return math.inf
        return max(0.0, self._max_hours * SECONDS_PER_HOUR - worked)

    def explain(self, worked: float, trials: Iterable[FrozenTrial]) -> str:
        """Return why the search ends, or an empty text if it does not yet.

        Args:
            worked: the seconds for which sweepers have worked on the study.
            trials: the trials of the study.
        """
        if not self.seconds_left(worked):
            return f"hydra.sweeper.max_hours={self._max_hours:g} are over"
        if self._stop_when == STAGNATED:
            if self._count_trials_since_best(trials) >= STAGNATED_TRIALS:
                return f"the last {STAGNATED_TRIALS} trials found nothing better (stagnated)"
        elif isinstance(self._stop_when, float):
            best = min(map(self._rank, trials), default=math.inf)
            if best <= self._sign * self._stop_when:
                return f"hydra.sweeper.stop_when={self._stop_when:g} is reached"
        return ""

    def _count_trials_since_best(self, trials: Iterable[FrozenTrial]) -> int:
        ended = sorted((t for t in trials if _has_run(t)), key=lambda t: t.number)
        ranks = [self._rank(trial) for trial in ended]
        if not ranks or min(ranks) == math.inf:
            return 0
        return len(ranks) - 1 - ranks.index(min(ranks))

    def _rank(self, trial: FrozenTrial) -> float:
        """Return a number that is smaller for a better trial; infinity without a result."""
        if trial.state is not TrialState.COMPLETE or not (trial.values and is_feasible(trial)):
            return math.inf
        return float(self._sign * trial.values[0])


def _has_run(trial: FrozenTrial) -> bool:
    return trial.state in ENDED and not is_rejected(trial)
