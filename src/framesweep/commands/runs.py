"""framesweep runs: list the runs in the outputs folder."""

from __future__ import annotations

import math
import operator
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from difflib import get_close_matches
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from framesweep.catalog.records import STATES
from framesweep.commands.common.options import tracking_options
from framesweep.commands.common.output import (
    cut,
    echo_json,
    format_time,
    json_option,
    layout_table,
    terminal_width,
)
from framesweep.errors import ConfigError

if TYPE_CHECKING:
    from framesweep.catalog import RunRecord

TEXT_FIELDS = ("id", "name", "state", "study")
NUMBER_FIELDS = ("accuracy", "epochs", "start")
COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
}
CONDITION = re.compile(r"\s*([\w/.-]+?)\s*(>=|<=|!=|=|>|<)\s*(.*?)\s*")
ABSENT = "-"

ON_TERMINAL = 20
"""Runs that are listed on a terminal, where older ones would only scroll the newest away."""

WIDE = 100
"""Columns of a terminal that has room for years, epochs and longer names of sweeps."""
STUDY_WIDTH, NARROW_STUDY_WIDTH = 14, 10
"""Columns for the names of sweeps on a terminal; the rest of the line is for those of runs."""


@click.command("runs")
@click.argument("texts", metavar="[PATTERN]...", nargs=-1)
@click.option(
    "--filter",
    "conditions",
    metavar="CONDITION",
    multiple=True,
    help="Condition such as 'accuracy>0.6', state=finished, study=NAME or 'dev/loss<1'. "
    "Repeatable; all must hold.",
)
@click.option(
    "--sort",
    default="start",
    show_default=True,
    metavar="KEY",
    help="start, accuracy, epochs, name, state, study or a metric such as dev/loss. Losses are "
    "sorted upwards, everything else with a value downwards.",
)
@click.option("--reverse", is_flag=True, help="Reverse the order.")
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    help="Number of runs to list.  [default: 20 on a terminal, else all]",
)
@json_option
@tracking_options
def command(
    *,
    texts: tuple[str, ...],
    conditions: tuple[str, ...],
    sort: str,
    reverse: bool,
    limit: int | None,
    as_json: bool,
    uri: str | None,
    outputs: Path,
) -> None:
    """List the runs in the outputs folder, the newest first.

    A PATTERN is a part of a run's name, study or id, or a shell pattern ('model=*'). The
    accuracy is that on dev. The id, its beginning or the name can be used wherever a command
    takes a RUN_ID.
    """
    from framesweep.catalog import list_runs

    tests = [parse_condition(condition) for condition in conditions]
    runs = [
        run
        for run in list_runs(uri, outputs)
        if all(_matches(run, pattern) for pattern in texts) and all(test(run) for test in tests)
    ]
    width = terminal_width()
    if limit is None and width is not None and not as_json:
        limit = ON_TERMINAL
    chosen = sort_runs(runs, sort, reverse=reverse)[:limit]
    if as_json:
        echo_json([_to_json(run) for run in chosen])
        return
    if not chosen:
        click.echo(f"no runs in {outputs}" + (" match" if texts or conditions else ""))
        return
    for line in _layout(chosen, width):
        click.echo(line)
    if len(chosen) < len(runs):
        click.echo(f"{len(runs) - len(chosen)} more; list them with --limit", err=True)


def parse_condition(text: str) -> Callable[[RunRecord], bool]:
    """Return a function that tests a run for a condition such as `accuracy>0.6`.

    Texts are compared with a shell pattern. A run without the value fulfils only `!=`.

    Raises:
        ConfigError: the text is no condition, compares a number with something else, or names
            a state that does not exist.
    """
    match = CONDITION.fullmatch(text)
    if match is None:
        raise ConfigError(
            "--filter",
            "must be a condition",
            found=text,
            fix="Type 'accuracy>0.6', for example.",
        )
    key, sign, value = match.groups()
    if key == "state" and not any(fnmatchcase(state, value) for state in STATES):
        raise ConfigError("--filter", f"must name a state: {', '.join(STATES)}", found=text)
    if sign in ("=", "!="):
        return lambda run: (sign == "=") is _equals(get_value(run, key), value)
    try:
        limit = float(value)
    except ValueError:
        rule = f"must compare {key} with a number"
        raise ConfigError("--filter", rule, found=text) from None

    def test(run: RunRecord) -> bool:
        found = get_value(run, key)
        return isinstance(found, int | float) and COMPARISONS[sign](found, limit)

    return test


def _equals(found: Any, value: str) -> bool:
    if isinstance(found, str):
        return fnmatchcase(found, value)
    try:
        return found is not None and float(found) == float(value)
    except ValueError:
        return False


def get_value(run: RunRecord, key: str) -> Any:
    """Return a field of a run, or the last value of a metric; None if it has no such value."""
    if key in (*TEXT_FIELDS, *NUMBER_FIELDS):
        return getattr(run, key)
    return run.metrics.get(key)


def sort_runs(runs: Sequence[RunRecord], key: str, *, reverse: bool) -> list[RunRecord]:
    """Return runs by a field or metric: numbers downwards, losses and texts upwards.

    Runs without the value come last.

    Raises:
        ConfigError: no run has this field or metric.
    """
    known = {*TEXT_FIELDS, *NUMBER_FIELDS, *(name for run in runs for name in run.metrics)}
    if runs and key not in known:
        close = [f"dev/{key}"] if f"dev/{key}" in known else get_close_matches(key, known, 1)
        raise ConfigError(
            "--sort",
            "must be start, accuracy, epochs, name, state, study or a metric of a run",
            found=key,
            fix=f"Did you mean {close[0]}?" if close else "",
        )
    having = [run for run in runs if not _is_missing(get_value(run, key))]
    downwards = key not in TEXT_FIELDS and not key.endswith("loss")
    ordered = sorted(having, key=lambda run: get_value(run, key), reverse=downwards != reverse)
    return ordered + [run for run in runs if _is_missing(get_value(run, key))]


def _is_missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))


def _matches(run: RunRecord, pattern: str) -> bool:
    texts = (run.id, run.name, run.study)
    return any(pattern in text or fnmatchcase(text, pattern) for text in texts)


def _layout(runs: Sequence[RunRecord], width: int | None) -> list[str]:
    """Return the table: the name comes last, so that a narrow terminal cuts only names."""
    from framesweep.catalog import short_id

    is_narrow = width is not None and width < WIDE
    time_format = "%m-%d %H:%M" if is_narrow else "%Y-%m-%d %H:%M"
    study_width = NARROW_STUDY_WIDTH if is_narrow else STUDY_WIDTH
    header = ["run", "started", "state", "accuracy", "epochs", "study", "name"]
    rows = [
        [
            short_id(run),
            time.strftime(time_format, time.localtime(run.start)),
            run.state,
            ABSENT if run.accuracy is None else f"{run.accuracy:.4f}",
            ABSENT if run.epochs is None else str(run.epochs),
            run.study if width is None else cut(run.study, study_width),
            run.name,
        ]
        for run in runs
    ]
    beside_studies = "epochs" if is_narrow else ""
    hidden = beside_studies if any(run.study for run in runs) else "study"
    shown = [i for i, title in enumerate(header) if title != hidden]
    header, rows = [header[i] for i in shown], [[row[i] for i in shown] for row in rows]
    return layout_table(header, rows, width, right="accuracy epochs")


def _to_json(run: RunRecord) -> dict[str, Any]:
    fields = asdict(run)
    del fields["data"]
    return {**fields, "start": format_time(run.start), "accuracy": run.accuracy}
