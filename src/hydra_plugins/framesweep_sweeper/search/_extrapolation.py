"""Pruning by what completed trials have gained from the same step on."""

import bisect
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate

from optuna.pruners import BasePruner
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial, TrialState

from hydra_plugins.framesweep_sweeper.search._history import is_feasible

COMPLETE = (TrialState.COMPLETE,)


@dataclass(frozen=True)
class Curve:
    """The best value of a trial up to each of its steps, where greater is better."""

    steps: Sequence[int]
    best: Sequence[float]

    def find_gain(self, step: int) -> float | None:
        """Return what was gained after `step`; None if there was no step before or after."""
        position = bisect.bisect_right(self.steps, step)
        if not 0 < position < len(self.steps):
            return None
        return self.best[-1] - self.best[position - 1]


@dataclass
class Gains:
    """Mean and variance of numbers that are added one by one.

    The method is that of Welford, Technometrics 4(3), 1962.
    """

    num_curves: int = 0
    """The number of curves that have been looked at; some have no gain."""
    count: int = 0
    mean: float = 0.0
    _squares: float = 0.0

    def add(self, value: float) -> None:
        """Add a number."""
        self.count += 1
        before = value - self.mean
        self.mean += before / self.count
        self._squares += before * (value - self.mean)

    def predict_most(self, deviations: float) -> float:
        """Return the mean of at least two numbers and some standard deviations of another one.

        Its variance is that of the numbers and that of their mean.
        """
        variance = self._squares / (self.count - 1)
        return self.mean + deviations * math.sqrt(variance * (1 + 1 / self.count))


@dataclass
class ExtrapolationPruner(BasePruner):
    """Stops a trial that would not become the best with the gain that others had.

    The gain of a completed trial is the difference between its best value and its best value up
    to this step. A trial is stopped if its own best value is below the study's best even with
    the mean of these gains and some standard deviations. Unlike a comparison with other trials
    at the same step, this stops a trial that is good but not good enough, and lets one go on as
    long as the gains of others differ enough for it to catch up.

    One object is for one study with one objective.

    Args:
        n_startup_trials: the number of completed trials that must have gone beyond this step;
            before, and at the last step, no trial is stopped. At least 2.
        deviations: how many standard deviations beyond the mean a trial may gain.

    Raises:
        ValueError: an argument is out of its range.
    """

    n_startup_trials: int = 3
    deviations: float = 1.0
    _curves: dict[int, Curve] = field(default_factory=dict, init=False, repr=False)
    _gains: dict[int, Gains] = field(default_factory=dict, init=False, repr=False)
    _best: float = field(default=-math.inf, init=False, repr=False)

    def __post_init__(self) -> None:
        if self.n_startup_trials < 2:
            raise ValueError(
                f"n_startup_trials: must be at least 2; found {self.n_startup_trials}"
            )
        if not 0 <= self.deviations < math.inf:
            raise ValueError(f"deviations: must be at least 0; found {self.deviations}")

    def prune(self, study: Study, trial: FrozenTrial) -> bool:
        """See `optuna.pruners.BasePruner`."""
        curve = trace(trial, study.direction)
        if not curve.steps:
            return False
        self._read_completed(study)
        gains = self._find_gains(curve.steps[-1])
        if gains.count < self.n_startup_trials:
            return False
        return curve.best[-1] + gains.predict_most(self.deviations) < self._best

    def _read_completed(self, study: Study) -> None:
        for trial in study.get_trials(deepcopy=False, states=COMPLETE):
            if trial.number in self._curves:  # a trial that has ended never changes
                continue
            curve = self._curves[trial.number] = trace(trial, study.direction)
            # One that violates a constraint is never the best.
            if curve.best and is_feasible(trial):
                self._best = max(self._best, curve.best[-1])

    def _find_gains(self, step: int) -> Gains:
        gains = self._gains.setdefault(step, Gains())
        curves = list(self._curves.values())
        for curve in curves[gains.num_curves :]:
            if (gain := curve.find_gain(step)) is not None:
                gains.add(gain)
        gains.num_curves = len(curves)
        return gains


def trace(trial: FrozenTrial, direction: StudyDirection) -> Curve:
    """Return the curve of a trial, without the steps whose value is NaN."""
    sign = -1 if direction is StudyDirection.MINIMIZE else 1
    reported = sorted(trial.intermediate_values.items())
    known = [(step, sign * value) for step, value in reported if not math.isnan(value)]
    return Curve([s for s, _ in known], list(accumulate((v for _, v in known), max)))
