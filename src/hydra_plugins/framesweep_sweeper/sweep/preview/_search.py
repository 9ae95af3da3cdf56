"""A preview of a search: it runs no trial and writes nothing."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import optuna
from hydra.types import HydraContext
from omegaconf import DictConfig
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.samplers import BaseSampler

from hydra_plugins.framesweep_sweeper._hydra import find_alias
from hydra_plugins.framesweep_sweeper.search._space import SearchSpace, strip_affixes
from hydra_plugins.framesweep_sweeper.sweep._jobs import suggest_overrides
from hydra_plugins.framesweep_sweeper.sweep._results import format_params
from hydra_plugins.framesweep_sweeper.sweep.preview._text import (
    NUM_POINTS,
    Point,
    Previewer,
    describe_extremes,
    describe_points,
    describe_space,
    estimate_cost,
    find_extremes,
    inspect_point,
)
from hydra_plugins.framesweep_sweeper.trials._constraints import Constraint, list_violations

MAX_DRAWS = 50
"""Draws from the sampler among which the points are looked for: it may repeat itself."""


class SearchPreview:
    """Describes a search.

    Args:
        space: the search space.
        hydra_context: the context that Hydra hands to a sweeper; it composes configs.
        config: the config of the sweep.
        custom: the function of `hydra.sweeper.custom_search_space`, or None.
        sampler: the sampler of the search.
        previewer: the application's; None if it has none. Its method `metrics`, if it has one,
            says which points violate a constraint.
        constraints: the constraints of the search.
    """

    def __init__(
        self,
        space: SearchSpace,
        hydra_context: HydraContext,
        config: DictConfig,
        custom: Callable[[DictConfig, Any], Any] | None,
        sampler: BaseSampler,
        previewer: Previewer | None,
        constraints: Sequence[Constraint] = (),
    ) -> None:
        self._space = space
        self._loader = hydra_context.config_loader
        self._config = config
        self._custom = custom
        self._previewer = previewer
        self._constraints = constraints
        self._study = optuna.create_study(sampler=sampler)  # in memory

    def describe(
        self,
        num_trials: int,
        num_points: float,
        num_workers: int,
        notes: Sequence[str] = (),
    ) -> Iterator[str]:
        """Yield the lines of the preview.

        Args:
            num_trials: the number of trials that the study still lacks.
            num_points: the number of points that it lacks, each of which is trained once.
            num_workers: the number of trials that run in parallel.
            notes: lines on the points from which the search starts.
        """
        num_runs = int(min(num_trials, num_points))
        yield "preview: nothing is run or written"
        rows = [
            (d.key, d.describe().partition(" when ")[0], " and ".join(map(str, d.conditions)))
            for d in self._space.dimensions
        ]
        yield from describe_space(rows)
        num_repeats = num_trials - num_runs
        repeats = f", at least {num_repeats:,} of which repeat others" if num_repeats else ""
        size = describe_size(self._space)
        trials = "1 trial is" if num_trials == 1 else f"{num_trials:,} trials are"
        yield f"size: {size}; {trials} to be run{repeats}"
        if self._constraints:
            yield f"constraints: {', '.join(map(str, self._constraints))}"
        alias = find_alias(self._config, "preview")
        fixed = {k: v for k, v in self._space.fixed.items() if strip_affixes(k) != alias}
        if fixed:
            yield f"fixed: {' '.join(f'{key}={value}' for key, value in fixed.items())}"
        yield from notes
        yield from describe_points(self._sample_points())
        axes = [
            [{d.key: value} for value in list_ends(d.distribution)]
            for d in self._space.sampled
            if d.distribution is not None
        ]
        extremes = find_extremes(axes, self._sample_at) if self._previewer else None
        yield from describe_extremes(extremes)
        if num_runs:
            yield from estimate_cost(self._previewer, extremes, num_runs, num_workers)

    def _sample_points(self) -> list[Point]:
        """Return different points; fewer than wanted if the space has hardly more."""
        wanted = min(NUM_POINTS, self._space.num_points)
        drawn: dict[str, list[str]] = {}
        for _ in range(MAX_DRAWS):
            text, overrides = self._draw({})
            drawn.setdefault(text, overrides)
            if len(drawn) >= wanted:
                break
        return [self._inspect(text, overrides) for text, overrides in drawn.items()]

    def _sample_at(self, values: list[dict[str, Any]]) -> Point:
        return self._sample({key: value for one in values for key, value in one.items()})

    def _sample(self, values: Mapping[str, Any]) -> Point:
        """Return a point with these values; the sampler chooses the others."""
        return self._inspect(*self._draw(values))

    def _draw(self, values: Mapping[str, Any]) -> tuple[str, list[str]]:
        """Return a point with these values as text, and the overrides of its job."""
        if values:
            self._study.enqueue_trial(dict(values))
        trial = self._study.ask()
        overrides = suggest_overrides(self._space, self._config, self._custom, trial)
        return format_params(trial.params), overrides

    def _inspect(self, text: str, overrides: list[str]) -> Point:
        point = inspect_point(
            text,
            lambda: self._loader.load_sweep_config(self._config, overrides),
            self._previewer,
        )
        return replace(point, violated=self._find_violations(point))

    def _find_violations(self, point: Point) -> str:
        """Return the constraints that a point violates, as far as its metrics are known."""
        measure = getattr(self._previewer, "metrics", None)
        # A point without a size has a corpus that must be prepared first.
        if not self._constraints or measure is None or point.size is None:
            return ""
        metrics = measure(point.config, [one.metric for one in self._constraints])
        return "; ".join(list_violations(self._constraints, metrics))


def describe_size(space: SearchSpace) -> str:
    """Return how many points a space has, as text."""
    counts = space.count_values()
    number = int(math.prod(n for n in counts.values() if not math.isinf(n)))
    continuous = [key for key, count in counts.items() if math.isinf(count)]
    if continuous:
        verb = "is" if len(continuous) == 1 else "are"
        combinations = f"{number:,} combinations, and " if number > 1 else ""
        return f"{combinations}{', '.join(continuous)} {verb} continuous"
    limit = "at most " if any(d.conditions for d in space.sampled) else ""
    return f"{limit}{number:,} point{'s' * (number != 1)}"


def list_ends(distribution: BaseDistribution) -> list[Any]:
    """Return the values among which the smallest and the largest network may be.

    Those are the bounds of numbers, and all choices of anything else.
    """
    match distribution:
        case CategoricalDistribution(choices=choices):
            numbers = [c for c in choices if isinstance(c, int | float)]
            is_numeric = len(numbers) == len(choices)
            return [*{min(numbers), max(numbers)}] if is_numeric else list(choices)
        case IntDistribution() | FloatDistribution() as d:
            return [d.low] if d.low == d.high else [d.low, d.high]
        case _:
            return []
