"""The search space: which keys are searched, under which conditions, and which are fixed."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from optuna import Trial
from optuna.distributions import BaseDistribution, CategoricalDistribution

from hydra_plugins.framesweep_sweeper.search._distributions import (
    count_values,
    format_distribution,
    record_value,
    suggest_value,
)


@dataclass(frozen=True)
class Condition:
    """A condition that holds where the value of `key` is one of `values`."""

    key: str
    values: frozenset[str]

    def holds(self, chosen: Mapping[str, Any]) -> bool:
        """Return whether the condition holds for the `chosen` values, by key."""
        return normalize_value(chosen.get(self.key)) in self.values

    def __str__(self) -> str:
        return f"{self.key}={','.join(sorted(self.values))}"


@dataclass(frozen=True)
class Dimension:
    """A key of the search space.

    Attributes:
        key: the key as the user wrote it, with any `+` in front and `@package` behind.
        distribution: where the value is drawn from; None for a key with a fixed value.
        value: the value of a key that has no distribution.
        conditions: all of them must hold, or the key is left out of the trial.
        texts: how an override spells those choices that Hydra would not parse as they are.
        zip: the tag by which the key is paired with others; "" if it is not.
        values: the values of a paired key, in the order of the pairs.
        leader: the paired key whose value decides this one's; "" if the sampler chooses it.
    """

    key: str
    distribution: BaseDistribution | None
    value: str = ""
    conditions: tuple[Condition, ...] = ()
    texts: Mapping[str, str] = field(default_factory=dict)
    zip: str = ""
    values: tuple[Any, ...] = ()
    leader: str = ""

    def spell(self, value: Any) -> Any:
        """Return a value as it is written in an override."""
        return self.texts.get(value, value) if isinstance(value, str) else value

    def describe(self) -> str:
        """Return the sweep and its conditions as text."""
        text = format_distribution(self.distribution) if self.distribution else self.value
        if self.zip:
            text = f"tag({self.zip}, choice({', '.join(map(str, self.values))}))"
        return text + "".join(f" when {c}" for c in self.conditions)


@dataclass(frozen=True)
class SearchSpace:
    """The search space of a command.

    Attributes:
        dimensions: the searched and the conditional keys, parents before their children.
        fixed: the overrides that every trial has, by key.
        deletions: overrides such as `~key`.
    """

    dimensions: tuple[Dimension, ...]
    fixed: dict[str, str] = field(default_factory=dict)
    deletions: tuple[str, ...] = ()

    @property
    def searched(self) -> tuple[Dimension, ...]:
        """The dimensions whose values vary from trial to trial."""
        return tuple(d for d in self.dimensions if d.distribution is not None)

    @property
    def sampled(self) -> tuple[Dimension, ...]:
        """The searched dimensions whose values do not follow from another one's."""
        return tuple(d for d in self.searched if not d.leader)

    def list_unreachable(self) -> list[str]:
        """Return a line for each key whose condition is on values that another never has."""
        choices = {
            strip_affixes(d.key): {normalize_value(choice) for choice in d.distribution.choices}
            for d in self.dimensions
            if isinstance(d.distribution, CategoricalDistribution)
        }
        return [
            f"{d.key} is never searched, because {one.key} has only the choices "
            f"{', '.join(sorted(choices[one.key]))}, and not {', '.join(sorted(one.values))}"
            for d in self.dimensions
            for one in d.conditions
            if one.values.isdisjoint(choices.get(one.key, one.values))
        ]

    def count_values(self) -> dict[str, float]:
        """Return the number of values of each key that a sampler chooses; infinity if it is
        continuous."""
        return {d.key: count_values(d.distribution) for d in self.sampled if d.distribution}

    @property
    def num_points(self) -> float:
        """The number of points, at most; infinity if a key is continuous."""
        return math.prod(self.count_values().values())

    def describe(self) -> dict[str, str]:
        """Return each key with its sweep and conditions as text."""
        return {d.key: d.describe() for d in self.dimensions}

    def suggest(self, trial: Trial, default_of: Callable[[str], Any]) -> list[str]:
        """Choose the values of a trial.

        Args:
            trial: the trial, which suggests the values.
            default_of: a function that returns the value of a key that no override sets.

        Returns:
            The overrides of the trial.
        """
        chosen: dict[str, Any] = {strip_affixes(k): value for k, value in self.fixed.items()}
        pairs: dict[str, int] = {}  # leader -> which of its pairs is chosen
        overrides = []
        for dimension in self.dimensions:
            for condition in dimension.conditions:
                chosen.setdefault(condition.key, default_of(condition.key))
            if not all(c.holds(chosen) for c in dimension.conditions):
                continue
            value = _choose_value(trial, dimension, pairs)
            chosen[strip_affixes(dimension.key)] = value
            overrides.append(f"{dimension.key}={dimension.spell(value)}")
        fixed = [f"{key}={value}" for key, value in self.fixed.items()]
        return [*overrides, *fixed, *self.deletions]


def _choose_value(trial: Trial, dimension: Dimension, pairs: dict[str, int]) -> Any:
    """Return the value of a dimension in a trial; `pairs` gets the chosen pair of a leader."""
    key, distribution = dimension.key, dimension.distribution
    if distribution is None:
        return dimension.value
    if dimension.leader:
        return record_value(trial, key, distribution, dimension.values[pairs[dimension.leader]])
    value = suggest_value(trial, key, distribution)
    if dimension.zip:
        pairs[key] = dimension.values.index(value)
    return value


def strip_affixes(key: str) -> str:
    """Return the key without a `+` in front or a `@package` behind."""
    return key.lstrip("+").partition("@")[0]


def normalize_value(value: Any) -> str:
    """Return a value as YAML spells it, without quotes, so that spellings can be compared."""
    text = str(value).strip().strip("'\"")
    return {"True": "true", "False": "false", "None": "null"}.get(text, text)
