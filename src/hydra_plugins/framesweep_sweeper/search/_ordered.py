"""Letting a sampler learn from the order of choices that are numbers.

`choice(5,15,25)` is a categorical distribution, whose values Optuna's samplers consider equally
different: a result at 15 says nothing about 25. Here they see such a choice as its rank among
the sorted choices, an integer.
"""

import copy
from collections.abc import Container
from typing import Any, TypeGuard

from optuna.distributions import BaseDistribution, CategoricalDistribution, IntDistribution
from optuna.samplers import BaseSampler
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from hydra_plugins.framesweep_sweeper.search._distributions import is_number, sort_numbers
from hydra_plugins.framesweep_sweeper.search._history import StudyView
from hydra_plugins.framesweep_sweeper.search._wrapped_sampler import WrappedSampler


class OrderedSampler(WrappedSampler):
    """Samples as `sampler` does, which sees choices that are numbers as their ranks."""

    def __init__(self, sampler: BaseSampler) -> None:
        super().__init__(sampler)
        self._originals: dict[str, BaseDistribution] = {}
        # By the trial's id. Only trials that have ended, because they never change.
        self._converted: dict[int, FrozenTrial] = {}

    def show(self, study: Study) -> Study:
        """Return the study with ranks in place of such choices."""
        return StudyView(study, self._convert_trials)

    def infer_relative_search_space(
        self, study: Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """See `optuna.samplers.BaseSampler`, as for the methods below."""
        ranked = super().infer_relative_search_space(study, trial)
        return {key: self._originals.get(key, found) for key, found in ranked.items()}

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        ranked = {key: rank_choices(found) for key, found in search_space.items()}
        sampled = super().sample_relative(study, trial, ranked)
        return {key: find_choice(search_space[key], value) for key, value in sampled.items()}

    def sample_independent(
        self,
        study: Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        ranked = rank_choices(param_distribution)
        sampled = super().sample_independent(study, trial, param_name, ranked)
        return find_choice(param_distribution, sampled)

    def _convert_trials(
        self, trials: list[FrozenTrial], states: Container[TrialState] | None
    ) -> list[FrozenTrial]:
        known = self._converted
        return [known.get(trial._trial_id) or self._convert(trial) for trial in trials]

    def _convert(self, trial: FrozenTrial) -> FrozenTrial:
        numeric = {key: d for key, d in trial.distributions.items() if is_ordered(d)}
        if not numeric:
            return trial
        self._originals.update(numeric)
        converted = copy.copy(trial)
        ranks = {key: find_rank(d, trial.params[key]) for key, d in numeric.items()}
        converted.params = {**trial.params, **ranks}
        converted.distributions = {
            key: rank_choices(found) for key, found in trial.distributions.items()
        }
        if trial.state.is_finished() and trial._trial_id >= 0:  # -1: of another study
            self._converted[trial._trial_id] = converted
        return converted


def is_ordered(distribution: BaseDistribution) -> TypeGuard[CategoricalDistribution]:
    """Return whether a distribution consists of at least three choices, all of them numbers.

    Of two choices, the order says nothing.
    """
    return (
        isinstance(distribution, CategoricalDistribution)
        and len(distribution.choices) > 2
        and all(map(is_number, distribution.choices))
    )


def rank_choices(distribution: BaseDistribution) -> BaseDistribution:
    """Return the distribution of the ranks of ordered choices; others unchanged."""
    if not is_ordered(distribution):
        return distribution
    return IntDistribution(0, len(distribution.choices) - 1)


def find_rank(distribution: CategoricalDistribution, choice: Any) -> int:
    """Return the rank of a choice, from 0."""
    return sort_numbers(distribution.choices).index(choice)


def find_choice(distribution: BaseDistribution, rank: Any) -> Any:
    """Return the choice with a rank; values of distributions without order unchanged."""
    return sort_numbers(distribution.choices)[rank] if is_ordered(distribution) else rank
