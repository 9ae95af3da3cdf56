"""The search space: which keys are searched, under which conditions, and which are fixed."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import ChoiceSweep, Override, ValueType
from hydra.errors import HydraException
from optuna import Trial
from optuna.distributions import BaseDistribution

from hydra_plugins.framesweep_sweeper._errors import SweepError
from hydra_plugins.framesweep_sweeper.search._distributions import (
    format_distribution,
    suggest_value,
)
from hydra_plugins.framesweep_sweeper.search._syntax import explain_sweep, write_text
from hydra_plugins.hydra_optuna_sweeper._impl import create_optuna_distribution_from_override

PARAMS = "hydra.sweeper.params"


@dataclass(frozen=True)
class Condition:
    """A condition that holds where the value of `key` is one of `values`."""

    key: str
    values: frozenset[str]

    def holds(self, chosen: Mapping[str, Any]) -> bool:
        """Return whether the condition holds for the `chosen` values, by key."""
        return _normalize_value(chosen.get(self.key)) in self.values

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
    """

    key: str
    distribution: BaseDistribution | None
    value: str = ""
    conditions: tuple[Condition, ...] = ()
    texts: Mapping[str, str] = field(default_factory=dict)

    def spell(self, value: Any) -> Any:
        """Return a value as it is written in an override."""
        return self.texts.get(value, value) if isinstance(value, str) else value

    def describe(self) -> str:
        """Return the sweep and its conditions as text."""
        text = format_distribution(self.distribution) if self.distribution else self.value
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
        """The dimensions whose values are drawn from a distribution."""
        return tuple(d for d in self.dimensions if d.distribution is not None)

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
        chosen: dict[str, Any] = {_strip_affixes(k): value for k, value in self.fixed.items()}
        overrides = []
        for dimension in self.dimensions:
            for condition in dimension.conditions:
                chosen.setdefault(condition.key, default_of(condition.key))
            if not all(c.holds(chosen) for c in dimension.conditions):
                continue
            value: Any = dimension.value
            if dimension.distribution is not None:
                value = suggest_value(trial, dimension.key, dimension.distribution)
            chosen[_strip_affixes(dimension.key)] = value
            overrides.append(f"{dimension.key}={dimension.spell(value)}")
        fixed = [f"{key}={value}" for key, value in self.fixed.items()]
        return [*overrides, *fixed, *self.deletions]


def read_space(params: Mapping[str, Any] | None, arguments: list[str]) -> SearchSpace:
    """Return the search space of a command.

    Args:
        params: `hydra.sweeper.params`.
        arguments: the overrides on the command line, which take precedence over `params`.

    Raises:
        SweepError: a sweep or a condition is not well-formed.
    """
    named = {str(key): entry for key, entry in (params or {}).items()}
    entries = {_strip_prefix(key): _read_entry(key, entry) for key, entry in named.items()}
    deletions = []
    for override in _parse(arguments, "command line"):
        target = _strip_prefix(override.get_key_element())
        entries.pop(target, None)
        if override.is_delete():
            deletions.append(str(override.input_line))
        else:
            entries[target] = _read_dimension(override)
    dimensions = [d for d in entries.values() if d.distribution or d.conditions]
    fixed = {d.key: d.value for d in entries.values() if d not in dimensions}
    return SearchSpace(tuple(_sort_parents_first(dimensions)), fixed, tuple(deletions))


def _read_entry(key: str, entry: Any) -> Dimension:
    if not isinstance(entry, Mapping):
        return _read_dimension(*_parse([f"{key}={_to_text(entry)}"], f"{PARAMS}.{key}"))
    if set(entry) != {"when", "space"}:
        raise SweepError(
            f"{PARAMS}.{key}: must be a sweep, or have the keys `when` and `space`; "
            f"found the keys {sorted(map(str, entry))}"
        )
    (override,) = _parse([f"{key}={_to_text(entry['space'])}"], f"{PARAMS}.{key}")
    plain = _read_dimension(override)
    when = entry["when"]
    clauses = [when] if isinstance(when, str) else list(when)
    conditions = tuple(_read_condition(key, str(clause)) for clause in clauses)
    return replace(plain, key=key, conditions=conditions)


def _read_condition(key: str, clause: str) -> Condition:
    parent, equals, values = clause.partition("=")
    names = frozenset(_normalize_value(v) for v in values.split(",") if v.strip())
    if not (equals and parent.strip() and names):
        raise SweepError(
            f"{PARAMS}.{key}.when: must be key=value or key=value,value; found {clause!r}"
        )
    return Condition(parent.strip(), names)


def _parse(arguments: list[str], where: str) -> list[Override]:
    parser = OverridesParser.create()
    overrides = []
    for argument in arguments:
        try:
            overrides += parser.parse_overrides([argument])
        except HydraException as error:
            rule, fix = explain_sweep(argument.partition("=")[2]) or (_shorten(error), "")
            line = f"{where}: {rule}; found {argument!r}"
            raise SweepError(f"{line}. {fix}" if fix else line) from None
    return overrides


def _shorten(error: HydraException) -> str:
    """Return what Hydra's parser objects to, without the lines that repeat or underline it."""
    first, *others = str(error).splitlines()
    lines = [line for line in others if line.strip(" ^")]
    lines = [line for line in lines if not line.startswith(("Error parsing", "See http"))]
    return " ".join(lines) or first


def _read_dimension(override: Override) -> Dimension:
    key = override.get_key_element()
    if override.value_type is ValueType.GLOB_CHOICE_SWEEP:
        raise SweepError(
            f"{key}: glob(...) has no meaning in a search; found {override.input_line}. "
            "List the options, as choice(a, b)"
        )
    try:
        value = create_optuna_distribution_from_override(override)
    except (ValueError, AssertionError, NotImplementedError) as error:
        raise SweepError(f"{key}: {error}; found {override.input_line}") from None
    if isinstance(value, BaseDistribution):
        return Dimension(key, value, texts=_spell_texts(override.value()))
    return Dimension(key, None, str(value))


def _spell_texts(sweep: Any) -> dict[str, str]:
    """Return the texts of a choice that need quotes or escapes, as an override spells them.

    A choice loses the quotes of its texts when it is parsed. In the study they are stored
    without, and so they are shown.
    """
    listed = sweep.list if isinstance(sweep, ChoiceSweep) else []
    spelled = {text: write_text(text) for text in listed if isinstance(text, str)}
    return {text: spelling for text, spelling in spelled.items() if text != spelling}


def _sort_parents_first(dimensions: list[Dimension]) -> Iterable[Dimension]:
    """Sort the dimensions so that a condition's key is chosen before it is needed."""
    ordered: dict[str, Dimension] = {}

    def visit(dimension: Dimension, below: tuple[str, ...]) -> None:
        if dimension.key in below:
            cycle = " -> ".join((*below, dimension.key))
            raise SweepError(f"{PARAMS}: conditions must not form a cycle; found {cycle}")
        for condition in dimension.conditions:
            for parent in dimensions:
                if _strip_affixes(parent.key) == _strip_affixes(condition.key):
                    visit(parent, (*below, dimension.key))
        ordered.setdefault(dimension.key, dimension)

    for dimension in dimensions:
        visit(dimension, ())
    return ordered.values()


def _strip_prefix(key: str) -> str:
    """Return what an override sets: of `key`, `+key`, `++key` and `~key` the last one wins."""
    return key.lstrip("+~")


def _strip_affixes(key: str) -> str:
    """Return the key without a `+` in front or a `@package` behind."""
    return key.lstrip("+").partition("@")[0]


def _to_text(entry: Any) -> str:
    return "null" if entry is None else str(entry)


def _normalize_value(value: Any) -> str:
    """Return a value as YAML spells it, without quotes, so that spellings can be compared."""
    text = str(value).strip().strip("'\"")
    return {"True": "true", "False": "false", "None": "null"}.get(text, text)
