"""The search space: what is searched, under which conditions, and what is fixed."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from optuna import Trial
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from hydra_plugins.framesweep_sweeper._errors import SweepError
from hydra_plugins.hydra_optuna_sweeper._impl import create_optuna_distribution_from_override

PARAMS = "hydra.sweeper.params"


@dataclass(frozen=True)
class Condition:
    """Holds where the override of `key` is one of `values`."""

    key: str
    values: frozenset[str]

    def holds(self, chosen: Mapping[str, Any]) -> bool:
        return _plain(chosen.get(self.key)) in self.values

    def __str__(self) -> str:
        return f"{self.key}={','.join(sorted(self.values))}"


@dataclass(frozen=True)
class Dimension:
    """One key: searched where it has a distribution, else set to `value`."""

    key: str
    distribution: BaseDistribution | None
    value: str = ""
    conditions: tuple[Condition, ...] = ()

    def describe(self) -> str:
        text = format_distribution(self.distribution) if self.distribution else self.value
        return text + "".join(f" when {c}" for c in self.conditions)


@dataclass(frozen=True)
class SearchSpace:
    """What a command searches.

    Attributes:
        dimensions: parents before their children.
        fixed: overrides that every trial has, by key.
        deletions: overrides such as `~key`.
    """

    dimensions: tuple[Dimension, ...]
    fixed: dict[str, str] = field(default_factory=dict)
    deletions: tuple[str, ...] = ()

    @property
    def searched(self) -> tuple[Dimension, ...]:
        return tuple(d for d in self.dimensions if d.distribution is not None)

    def describe(self) -> dict[str, str]:
        return {d.key: d.describe() for d in self.dimensions}

    def suggest(self, trial: Trial, default_of: Callable[[str], Any]) -> list[str]:
        """The overrides of `trial`; a key that nothing sets has its value from `default_of`."""
        chosen: dict[str, Any] = {_bare(key): value for key, value in self.fixed.items()}
        overrides = []
        for dimension in self.dimensions:
            for condition in dimension.conditions:
                chosen.setdefault(condition.key, default_of(condition.key))
            if not all(c.holds(chosen) for c in dimension.conditions):
                continue
            value = _suggest(trial, dimension)
            chosen[_bare(dimension.key)] = value
            overrides.append(f"{dimension.key}={value}")
        fixed = [f"{key}={value}" for key, value in self.fixed.items()]
        return [*overrides, *fixed, *self.deletions]


def read_space(params: Mapping[str, Any] | None, arguments: list[str]) -> SearchSpace:
    """The space of `hydra.sweeper.params` and, going before it, of the command line.

    Raises:
        SweepError: a sweep or a condition that cannot be understood.
    """
    named = {str(key): entry for key, entry in (params or {}).items()}
    entries = {_slot(key): _read_entry(key, entry) for key, entry in named.items()}
    deletions = []
    for override in _parse(arguments, "command line"):
        slot = _slot(override.get_key_element())
        entries.pop(slot, None)
        if override.is_delete():
            deletions.append(str(override.input_line))
        else:
            entries[slot] = _dimension(override)
    dimensions = [d for d in entries.values() if d.distribution or d.conditions]
    fixed = {d.key: d.value for d in entries.values() if d not in dimensions}
    return SearchSpace(tuple(_parents_first(dimensions)), fixed, tuple(deletions))


def _slot(key: str) -> str:
    """What an override sets: of `key`, `+key`, `++key` and `~key` only the last can count."""
    return key.lstrip("+~")


def _read_entry(key: str, entry: Any) -> Dimension:
    if not isinstance(entry, Mapping):
        return _dimension(*_parse([f"{key}={_text(entry)}"], f"{PARAMS}.{key}"))
    if set(entry) != {"when", "space"}:
        raise SweepError(
            f"{PARAMS}.{key}: must be a sweep, or have the keys `when` and `space`; "
            f"found the keys {sorted(map(str, entry))}"
        )
    plain = _dimension(*_parse([f"{key}={_text(entry['space'])}"], f"{PARAMS}.{key}"))
    when = entry["when"]
    clauses = [when] if isinstance(when, str) else list(when)
    conditions = tuple(_read_condition(key, str(clause)) for clause in clauses)
    return Dimension(key, plain.distribution, plain.value, conditions)


def _read_condition(key: str, clause: str) -> Condition:
    parent, equals, values = clause.partition("=")
    names = frozenset(_plain(value) for value in values.split(",") if value.strip())
    if not (equals and parent.strip() and names):
        raise SweepError(
            f"{PARAMS}.{key}.when: must be key=value or key=value,value; found {clause!r}"
        )
    return Condition(parent.strip(), names)


def _text(entry: Any) -> str:
    return "null" if entry is None else str(entry)


def _parse(arguments: list[str], where: str) -> list[Override]:
    parser = OverridesParser.create()
    overrides = []
    for argument in arguments:
        try:
            overrides += parser.parse_overrides([argument])
        except HydraException as error:
            raise SweepError(f"{where}: {_reason(error)}; found {argument!r}") from None
    return overrides


def _reason(error: HydraException) -> str:
    """What Hydra has against an override, without the lines that repeat or underline it."""
    first, *others = str(error).splitlines()
    told = [line for line in others if line.strip(" ^")]
    told = [line for line in told if not line.startswith(("Error parsing", "See http"))]
    return " ".join(told) or first


def _dimension(override: Override) -> Dimension:
    key = override.get_key_element()
    try:
        value = create_optuna_distribution_from_override(override)
    except (ValueError, AssertionError, NotImplementedError) as error:
        raise SweepError(f"{key}: {error}; found {override.input_line}") from None
    if isinstance(value, BaseDistribution):
        return Dimension(key, value)
    return Dimension(key, None, str(value))


def _parents_first(dimensions: list[Dimension]) -> Iterable[Dimension]:
    ordered: dict[str, Dimension] = {}

    def visit(dimension: Dimension, below: tuple[str, ...]) -> None:
        if dimension.key in below:
            raise SweepError(f"{PARAMS}: conditions run in a circle: {' -> '.join(below)}")
        for condition in dimension.conditions:
            for parent in dimensions:
                if _bare(parent.key) == _bare(condition.key):
                    visit(parent, (*below, dimension.key))
        ordered.setdefault(dimension.key, dimension)

    for dimension in dimensions:
        visit(dimension, ())
    return ordered.values()


def _suggest(trial: Trial, dimension: Dimension) -> Any:
    key = dimension.key
    match dimension.distribution:
        case CategoricalDistribution(choices=choices):
            return trial.suggest_categorical(key, choices)
        case IntDistribution() as d:
            return trial.suggest_int(key, d.low, d.high, step=d.step, log=d.log)
        case FloatDistribution() as d:
            return trial.suggest_float(key, d.low, d.high, step=d.step, log=d.log)
        case _:
            return dimension.value


def format_distribution(distribution: BaseDistribution) -> str:
    """A distribution as one would type it; equal distributions give equal text."""
    match distribution:
        case CategoricalDistribution(choices=choices):
            return f"choice({', '.join(map(str, choices))})"
        case IntDistribution(log=True) as d:
            return f"int(tag(log, interval({d.low}, {d.high})))"
        case FloatDistribution(log=True) as d:
            return f"tag(log, interval({d.low}, {d.high}))"
        case FloatDistribution(step=None) as d:
            return f"interval({d.low}, {d.high})"
        case IntDistribution() | FloatDistribution() as d:
            step = f", {d.step}" if d.step != 1 else ""
            return f"range({d.low}, {d.high + (d.step or 0)}{step})"
        case _:
            return str(distribution)


def _bare(key: str) -> str:
    return key.lstrip("+").partition("@")[0]


def _plain(value: Any) -> str:
    text = str(value).strip().strip("'\"")
    return {"True": "true", "False": "false", "None": "null"}.get(text, text)
