"""Reading a search space from `hydra.sweeper.params` and the command line."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import (
    ChoiceSweep,
    IntervalSweep,
    Override,
    Sweep,
    ValueType,
)
from hydra.errors import HydraException
from optuna.distributions import BaseDistribution, CategoricalDistribution

from hydra_plugins.framesweep_sweeper._errors import SweepError
from hydra_plugins.framesweep_sweeper.search._space import (
    Condition,
    Dimension,
    SearchSpace,
    normalize_value,
    strip_affixes,
)
from hydra_plugins.framesweep_sweeper.search._syntax import explain_sweep, write_text
from hydra_plugins.framesweep_sweeper.search._zips import (
    LOG_TAG,
    list_paired_values,
    read_zip,
    require_known_tags,
    require_pairs,
)
from hydra_plugins.hydra_optuna_sweeper._impl import create_optuna_distribution_from_override

PARAMS = "hydra.sweeper.params"


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
    entries = _link_pairs(entries)
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
    clauses = list(when) if isinstance(when, list | tuple) else [when]
    conditions = tuple(_read_condition(key, str(clause)) for clause in clauses)
    return replace(plain, key=key, conditions=conditions)


def _read_condition(key: str, clause: str) -> Condition:
    parent, equals, values = clause.partition("=")
    names = frozenset(normalize_value(v) for v in values.split(",") if v.strip())
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
        rule = str(error).removesuffix(".")
        if "`low <= high`" in rule:  # in words of Optuna, with its names
            rule = "the first bound must not be above the second"
        elif "`low > 0`" in rule:
            rule = f"the first bound must be above 0 with tag({LOG_TAG}, ...)"
        raise SweepError(f"{key}: {rule}; found {override.input_line}") from None
    if not isinstance(value, BaseDistribution):
        return Dimension(key, None, str(value))
    require_known_tags(override)
    _require_scale(override)
    texts = _spell_texts(override.value())
    if tag := read_zip(override):
        values = tuple(list_paired_values(override))
        distinct = CategoricalDistribution(list(dict.fromkeys(values)))
        return Dimension(key, distinct, texts=texts, zip=tag, values=values)
    return Dimension(key, value, texts=texts)


def _require_scale(override: Override) -> None:
    """Raise SweepError for bounds that are not finite, or a scale that would be ignored."""
    key, sweep = override.get_key_element(), override.value()
    ends = [sweep.start, sweep.end] if isinstance(sweep, IntervalSweep) else []
    if not all(math.isfinite(end) for end in ends if end is not None):
        raise SweepError(f"{key}: the bounds must be finite; found {override.input_line}")
    if isinstance(sweep, Sweep) and LOG_TAG in sweep.tags and not override.is_interval_sweep():
        raise SweepError(
            f"{key}: tag({LOG_TAG}, ...) needs interval(...); found {override.input_line}. "
            f"Type int(tag({LOG_TAG}, interval(A, B))) for whole numbers"
        )


def _link_pairs(entries: Mapping[str, Dimension]) -> dict[str, Dimension]:
    """Let one of the keys that are paired lead the others, whose values follow from its own.

    Raises:
        SweepError: a key is alone, the numbers of values or the conditions differ, or no key
            could lead, because each of them has a value twice.
    """
    zips: dict[str, list[Dimension]] = {}
    for dimension in entries.values():
        if dimension.zip:
            zips.setdefault(dimension.zip, []).append(dimension)
    require_pairs({tag: {d.key: len(d.values) for d in ds} for tag, ds in zips.items()})
    leaders = {tag: _find_leader(tag, paired).key for tag, paired in zips.items()}
    return {
        target: replace(d, leader=leaders[d.zip]) if d.key != leaders.get(d.zip, d.key) else d
        for target, d in entries.items()
    }


def _find_leader(tag: str, paired: list[Dimension]) -> Dimension:
    keys = ", ".join(d.key for d in paired)
    if len({d.conditions for d in paired}) > 1:
        raise SweepError(
            f"tag({tag}, ...): paired keys must have the same conditions; found {keys}"
        )
    for dimension in paired:
        if len(set(dimension.values)) == len(dimension.values):
            return dimension
    raise SweepError(
        f"tag({tag}, ...): one of the paired keys must have each value once; found values "
        f"that repeat in {keys}"
    )


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
        needed = {strip_affixes(condition.key) for condition in dimension.conditions}
        for parent in dimensions:
            if strip_affixes(parent.key) in needed or parent.key == dimension.leader:
                visit(parent, (*below, dimension.key))
        ordered.setdefault(dimension.key, dimension)

    for dimension in dimensions:
        visit(dimension, ())
    return ordered.values()


def _strip_prefix(key: str) -> str:
    """Return what an override sets: of `key`, `+key`, `++key` and `~key` the last one wins."""
    return key.lstrip("+~")


def _to_text(entry: Any) -> str:
    return "null" if entry is None else str(entry)
