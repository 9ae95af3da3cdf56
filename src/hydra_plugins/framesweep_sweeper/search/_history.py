"""Trials of another study, from which a sampler learns as if they were of its own."""

from collections.abc import Callable, Container, Sequence
from typing import Any

from optuna.samplers import BaseSampler
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState, create_trial

from hydra_plugins.framesweep_sweeper.search._known_points import look_up, match_point
from hydra_plugins.framesweep_sweeper.search._space import SearchSpace, strip_affixes
from hydra_plugins.framesweep_sweeper.search._wrapped_sampler import WrappedSampler

WITH_RESULT = (TrialState.COMPLETE, TrialState.PRUNED)


def is_feasible(trial: FrozenTrial) -> bool:
    """Return whether a trial violates none of the constraints that Optuna keeps for it."""
    return all(violation <= 0 for violation in trial.constraints.values())


class HistorySampler(WrappedSampler):
    """Samples as `sampler` would if its study also had the trials in `history`."""

    def __init__(self, sampler: BaseSampler, history: Sequence[FrozenTrial]) -> None:
        super().__init__(sampler)
        self._history = list(history)

    def show(self, study: Study) -> Study:
        """Return the study with the trials in `history` before its own."""
        return StudyView(study, self._prepend_history)

    def _prepend_history(
        self, trials: list[FrozenTrial], states: Container[TrialState] | None
    ) -> list[FrozenTrial]:
        earlier = [t for t in self._history if states is None or t.state in states]
        return [*earlier, *trials]


class StudyView(Study):
    """A view of a study with other trials than its own; only samplers see it.

    Args:
        study: the study.
        change: returns the trials to show, given those of the study and the states asked for.
    """

    def __init__(
        self,
        study: Study,
        change: Callable[[list[FrozenTrial], Container[TrialState] | None], list[FrozenTrial]],
    ) -> None:
        self._inner = study
        self._change = change

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def _get_trials(
        self,
        deepcopy: bool = True,
        states: Container[TrialState] | None = None,
        use_cache: bool = False,
    ) -> list[FrozenTrial]:
        return self._change(self._inner._get_trials(deepcopy, states, use_cache), states)

    def get_trials(
        self, deepcopy: bool = True, states: Container[TrialState] | None = None
    ) -> list[FrozenTrial]:
        return self._get_trials(deepcopy, states)


def with_history(
    make_sampler: Callable[[int], BaseSampler], history: Sequence[FrozenTrial]
) -> Callable[[int], BaseSampler]:
    """Return a function that makes the same samplers, which also learn from `history`."""
    if not history:
        return make_sampler
    return lambda num_begun: HistorySampler(make_sampler(num_begun), history)


def select_history(study: Study, space: SearchSpace) -> list[FrozenTrial]:
    """Return the trials of `study` that a search of `space` could have run itself.

    Their numbers are -1, because they are none of the searching study's.
    """
    return [
        selected
        for trial in study.get_trials(deepcopy=False, states=WITH_RESULT)
        if (selected := _translate(trial, space)) is not None
    ]


def _translate(trial: FrozenTrial, space: SearchSpace) -> FrozenTrial | None:
    """Return a trial in terms of a space; None if it is not one of the space's points."""
    values = {strip_affixes(key): value for key, value in trial.params.items()}
    dimensions = {strip_affixes(d.key): d for d in space.searched}
    if not values.keys() <= dimensions.keys():
        return None
    inside, outside = match_point(space, look_up(values))
    required = {d.key for d in space.sampled if not d.conditions}
    if outside or not required <= inside.keys():
        return None
    for key, value in values.items():  # those that follow from another key's
        if dimensions[key].leader:
            inside[dimensions[key].key] = value
    distributions = {d.key: d.distribution for d in space.searched if d.key in inside}
    return create_trial(
        state=trial.state,
        values=trial.values if trial.state is TrialState.COMPLETE else None,
        params=inside,
        distributions={key: d for key, d in distributions.items() if d is not None},
        intermediate_values=trial.intermediate_values,
        system_attrs={
            key: value for key, value in trial.system_attrs.items() if is_constraint(key)
        },
    )


def is_constraint(key: str) -> bool:
    """Return whether a system attribute says by how much a trial violates a constraint."""
    return key.partition(":")[0] == "constraints"
