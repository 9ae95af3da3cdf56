"""Drawing a search's first trials near the values that the config has without the search.

Those values are usually good already, so that points near them are better than random ones.
PriorBand calls this an expert's prior (Mallik et al., 2023, arXiv:2306.12370). Its share of the
trials shrinks as results come in, because the defaults may not suit the data.
"""

import math
import random
from collections.abc import Mapping, Sequence
from typing import Any

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.samplers import BaseSampler
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from hydra_plugins.framesweep_sweeper.search._distributions import is_number, sort_numbers
from hydra_plugins.framesweep_sweeper.search._history import WITH_RESULT
from hydra_plugins.framesweep_sweeper.search._known_points import ABSENT, find_value
from hydra_plugins.framesweep_sweeper.search._wrapped_sampler import WrappedSampler

DEVIATION = 0.25
"""Standard deviation of a draw, as a share of the key's range (PriorBand's)."""
KEEP = 0.5
"""How often a key without an order keeps its default; otherwise each choice is as likely."""


class PriorSampler(WrappedSampler):
    """Draws trials near `defaults`, and leaves the others to another sampler.

    With `n` finished trials, a trial is drawn near the defaults with a probability of
    `prior_trials / (prior_trials + n)`. Whether it is, and what is drawn, follows from the seed
    and the number of the trial, so that a resumed search needs no state.

    Args:
        sampler: the sampler of the other trials, and of keys that have no default.
        defaults: key -> value of the config without the search; it may be outside of the space.
        prior_trials: the number of finished trials after which half of the trials are drawn
            near the defaults; 0 for none.
        seed: seed of the draws, or None.
    """

    def __init__(
        self,
        sampler: BaseSampler,
        defaults: Mapping[str, Any],
        prior_trials: int,
        seed: int | None,
    ) -> None:
        super().__init__(sampler)
        self._defaults = dict(defaults)
        self._prior_trials = prior_trials
        self._seed = random.SystemRandom().getrandbits(32) if seed is None else seed
        self._near: set[int] = set()  # numbers of the trials that are drawn near the defaults

    def infer_relative_search_space(
        self, study: Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """See `optuna.samplers.BaseSampler`, as for the methods below."""
        if self._draws_near(study, trial):
            self._near.add(trial.number)
            return {}
        return super().infer_relative_search_space(study, trial)

    def _draws_near(self, study: Study, trial: FrozenTrial) -> bool:
        if not self._defaults or not self._prior_trials:
            return False
        num_finished = len(study.get_trials(deepcopy=False, states=WITH_RESULT))
        share = self._prior_trials / (self._prior_trials + num_finished)
        return self._random(trial, "").random() < share

    def _random(self, trial: FrozenTrial, key: str) -> random.Random:
        return random.Random(f"{self._seed}/{trial.number}/{key}")

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        if trial.number in self._near:
            return {}
        return super().sample_relative(study, trial, search_space)

    def sample_independent(
        self,
        study: Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        if trial.number in self._near and param_name in self._defaults:
            default = self._defaults[param_name]
            drawn = draw_near(param_distribution, default, self._random(trial, param_name))
            if drawn is not ABSENT:
                return drawn
        return super().sample_independent(study, trial, param_name, param_distribution)

    def after_trial(
        self,
        study: Study,
        trial: FrozenTrial,
        state: TrialState,
        values: Sequence[float] | None,
    ) -> None:
        self._near.discard(trial.number)
        super().after_trial(study, trial, state, values)


def draw_near(distribution: BaseDistribution, default: Any, rng: random.Random) -> Any:
    """Return a value of a distribution near a default, or ABSENT if there is no near.

    Numbers, and choices that all are numbers, are drawn from a normal distribution around
    the default, or around the end of the range that is nearest to it. Other choices keep the
    default in half of the cases, and are drawn uniformly in the others.
    """
    match distribution:
        case CategoricalDistribution(choices=choices) if all(map(is_number, choices)):
            if not is_number(default):
                return ABSENT
            levels = sort_numbers(choices)
            nearest = min(range(len(levels)), key=lambda i: abs(levels[i] - default))
            return levels[_draw_level(nearest, len(levels), rng)]
        case CategoricalDistribution(choices=choices):
            found = find_value(distribution, default)
            if found is ABSENT:
                return ABSENT
            return found if rng.random() < KEEP else rng.choice(choices)
        case IntDistribution() | FloatDistribution():
            return _draw_number(distribution, default, rng) if is_number(default) else ABSENT
        case _:
            return ABSENT


def _draw_level(center: int, num_levels: int, rng: random.Random) -> int:
    """Return the index of a level, each of which has an equal share of the range."""
    place = _draw_share((center + 0.5) / num_levels, rng)
    return min(int(place * num_levels), num_levels - 1)


def _draw_number(
    distribution: IntDistribution | FloatDistribution, default: float, rng: random.Random
) -> float:
    low, high, step = distribution.low, distribution.high, distribution.step
    if low == high:
        return low
    center = min(max(default, low), high)
    if distribution.log:
        start, width = math.log(low), math.log(high / low)
        share = _draw_share((math.log(center) - start) / width, rng)
        value = min(max(math.exp(start + share * width), low), high)
    else:
        value = low + _draw_share((center - low) / (high - low), rng) * (high - low)
    if step is not None and not distribution.log:
        value = min(low + round((value - low) / step) * step, high)
    return round(value) if isinstance(distribution, IntDistribution) else float(value)


def _draw_share(center: float, rng: random.Random) -> float:
    """Return a draw from the normal distribution around `center`, truncated to 0 to 1."""
    while True:
        share = rng.gauss(center, DEVIATION)
        if 0 <= share <= 1:
            return share
