"""A bound of the trials from which TPE learns, because its time grows with their number.

TPE divides the trials into the best, at most 25, and the others, and models the density of both
(Bergstra et al., 2011; `default_gamma` of Optuna). Half of the bound goes to the best trials,
so that the first group is the same as with all trials once 25 are complete. The others, which
describe where results are poor, are represented by the latest.
"""

from collections.abc import Callable, Container, Sequence

from optuna.samplers import BaseSampler, TPESampler
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial, TrialState

from hydra_plugins.framesweep_sweeper.search._history import WITH_RESULT, StudyView, is_feasible
from hydra_plugins.framesweep_sweeper.search._wrapped_sampler import WrappedSampler


class BoundedSampler(WrappedSampler):
    """Samples as `sampler` would if its study had at most `most` trials with a result.

    While a study has no more than those, the points are the same as without this class.
    """

    def __init__(self, sampler: BaseSampler, most: int) -> None:
        super().__init__(sampler)
        self._most = most
        self._num_ended = 0
        self._chosen: set[int] = set()

    def show(self, study: Study) -> Study:
        """Return the study with at most `most` trials that have a result."""
        directions = study.directions

        def choose(
            trials: list[FrozenTrial], states: Container[TrialState] | None
        ) -> list[FrozenTrial]:
            return self._choose(trials, directions)

        return StudyView(study, choose)

    def _choose(
        self, trials: list[FrozenTrial], directions: Sequence[StudyDirection]
    ) -> list[FrozenTrial]:
        ended = [trial for trial in trials if trial.state in WITH_RESULT]
        if len(ended) <= self._most:
            return trials
        # Trials that have ended never change, so a new choice is due when there are others.
        if self._num_ended != len(ended):
            self._num_ended = len(ended)
            self._chosen = set(choose_positions(ended, directions, self._most))
        kept = {id(ended[position]) for position in self._chosen}
        return [t for t in trials if t.state not in WITH_RESULT or id(t) in kept]


def choose_positions(
    trials: Sequence[FrozenTrial], directions: Sequence[StudyDirection], most: int
) -> list[int]:
    """Return the positions of `most` trials: the best of each objective, then the latest.

    Args:
        trials: more than `most` complete and pruned trials, in the order of their numbers.
        directions: the directions of the objectives.
        most: the number of trials to choose.
    """
    complete = [i for i, trial in enumerate(trials) if trial.state is TrialState.COMPLETE]
    share = most // 2 // len(directions)
    chosen: set[int] = set()
    for objective, direction in enumerate(directions):
        sign = -1 if direction is StudyDirection.MAXIMIZE else 1
        values = {i: sign * (trials[i].values or [0.0])[objective] for i in complete}
        best = (i for i in sorted(complete, key=values.__getitem__) if is_feasible(trials[i]))
        chosen.update(i for i, _ in zip(best, range(share), strict=False))
    for i in reversed(range(len(trials))):
        if len(chosen) >= most:
            break
        chosen.add(i)
    return sorted(chosen)


def with_bound(
    make_sampler: Callable[[int], BaseSampler], most: int
) -> Callable[[int], BaseSampler]:
    """Return a function that makes the same samplers, of which TPE learns from `most` trials.

    Other samplers need all trials (a grid, evolution) or take constant time (random points).
    """

    def make(num_begun: int) -> BaseSampler:
        sampler = make_sampler(num_begun)
        inner = sampler
        while isinstance(inner, WrappedSampler):
            inner = inner.sampler
        return BoundedSampler(sampler, most) if isinstance(inner, TPESampler) else sampler

    return make
