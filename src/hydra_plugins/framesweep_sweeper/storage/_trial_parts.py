"""Reading many trials from the tables of a database, in one statement per table.

Optuna builds each trial by seven queries and as many mapped objects, which takes a millisecond
per trial. Here one statement reads a part of all trials, and only the parts that somebody
needs: a sampler needs no learning curves, a pruner little else.

The tables are private classes of Optuna; they are used here, in `_ended_trials`
and in `_table_storage` only.
"""

import functools
import json
import operator
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import sqlalchemy
from optuna.distributions import BaseDistribution, json_to_distribution
from optuna.storages._rdb import models
from optuna.trial import FrozenTrial
from sqlalchemy import ColumnElement, Connection, bindparam, insert, select, update

TRIALS: Any = models.TrialModel
USER_ATTR_ROWS: Any = models.TrialUserAttributeModel
HEARTBEATS: Any = models.TrialHeartbeatModel
"""Optuna's classes of tables."""

BY_NUMBER = operator.attrgetter("_number")
"""The key to sort trials by; Optuna's property of the public name takes three times as long."""


@dataclass(frozen=True)
class Part:
    """A part of each trial, which has a table of its own.

    Attributes:
        table: Optuna's class of the table.
        columns: the names of the columns to read.
        add: adds a row, which is the trial and the columns, to the trial.
        prefix: the beginning of the keys to read; the others are left out.
        is_excluding: whether the keys with the prefix are left out instead.
    """

    table: Any
    columns: tuple[str, ...]
    add: Callable[..., None]
    prefix: str = ""
    is_excluding: bool = False

    def select(self, condition: ColumnElement[bool]) -> Any:
        """Return the statement that reads this part of the trials that meet `condition`."""
        columns = [getattr(self.table, name) for name in self.columns]
        joined = select(self.table.trial_id, *columns).join(
            TRIALS, TRIALS.trial_id == self.table.trial_id
        )
        statement = joined.where(condition)
        if self.prefix:
            begins = self.table.key.startswith(self.prefix, autoescape=True)
            statement = statement.where(~begins if self.is_excluding else begins)
        return statement


def _add_value(trial: FrozenTrial, objective: int, value: float | None, kind: Any) -> None:
    values = trial.values or []
    values += [0.0] * (objective + 1 - len(values))
    values[objective] = models.TrialValueModel.stored_repr_to_value(value, kind)
    trial.values = values


def _add_param(trial: FrozenTrial, name: str, value: float, text: str) -> None:
    distribution = _parse_distribution(text)
    name = sys.intern(name)
    trial.params[name] = distribution.to_external_repr(value)
    trial.distributions[name] = distribution


def _add_user_attr(trial: FrozenTrial, key: str, text: str) -> None:
    trial.user_attrs[sys.intern(key)] = json.loads(text)


def _add_system_attr(trial: FrozenTrial, key: str, text: str) -> None:
    trial.system_attrs[sys.intern(key)] = json.loads(text)


def _add_step(trial: FrozenTrial, step: int, value: float | None, kind: Any) -> None:
    read = models.TrialIntermediateValueModel.stored_repr_to_intermediate_value
    trial.intermediate_values[step] = read(value, kind)


@functools.lru_cache(maxsize=1024)
def _parse_distribution(text: str) -> BaseDistribution:
    return json_to_distribution(text)


_ATTR = ("key", "value_json")
_STEP = ("step", "intermediate_value", "intermediate_value_type")
_PARAM = ("param_name", "param_value", "distribution_json")
VALUES = Part(models.TrialValueModel, ("objective", "value", "value_type"), _add_value)
PARAMS = Part(models.TrialParamModel, _PARAM, _add_param)
USER_ATTRS = Part(USER_ATTR_ROWS, _ATTR, _add_user_attr)
SYSTEM_ATTRS = Part(models.TrialSystemAttributeModel, _ATTR, _add_system_attr)
STEPS = Part(models.TrialIntermediateValueModel, _STEP, _add_step)
ALL = (VALUES, PARAMS, USER_ATTRS, SYSTEM_ATTRS, STEPS)

OWN_PREFIX = "framesweep:"
"""Prefix of the system attributes that the sweeper records, which samplers do not know."""

OPTUNAS_ATTRS = replace(SYSTEM_ATTRS, prefix=OWN_PREFIX, is_excluding=True)
RESULTS = (VALUES, PARAMS, USER_ATTRS, OPTUNAS_ATTRS, STEPS)
"""All of a trial but what the sweeper records about its processes. That takes half of a trial's
memory, and nobody needs it once the trial has ended."""


def read_trials(
    connection: Connection, condition: ColumnElement[bool], parts: tuple[Part, ...]
) -> list[FrozenTrial]:
    """Return the trials that meet a condition on their table, each with the given parts.

    Args:
        connection: a connection whose statements all read one state of the tables. Otherwise a
            trial that ends between two of them would lack its other parts.
        condition: the condition, which may use `TRIALS` only.
        parts: the parts to read; the others are left empty.
    """
    return _read(connection, parts, _build_statements(condition, parts), {})


def read_trial(connection: Connection, trial_id: int, parts: tuple[Part, ...]) -> FrozenTrial:
    """Return a trial with the given parts.

    Raises:
        KeyError: there is no such trial.
    """
    trials = _read(connection, parts, _select_one(parts), {"one": trial_id})
    if not trials:
        raise KeyError(models.NOT_FOUND_MSG)
    return trials[0]


@functools.cache
def _select_one(parts: tuple[Part, ...]) -> list[Any]:
    # Built once, since building the statements takes longer than their execution.
    return _build_statements(TRIALS.trial_id == bindparam("one"), parts)


def _build_statements(condition: ColumnElement[bool], parts: tuple[Part, ...]) -> list[Any]:
    """Return the statement that reads the trials themselves, and that of each part."""
    columns = (
        *(TRIALS.trial_id, TRIALS.number, TRIALS.state),
        *(TRIALS._datetime_start_utc, TRIALS._datetime_complete_utc),
    )
    statements = [select(*columns).where(condition).order_by(TRIALS.trial_id)]
    for part in parts:
        # In the order in which they were written, as Optuna returns the parameters.
        order = sqlalchemy.inspect(part.table).primary_key
        statements.append(part.select(condition).order_by(*order))
    return statements


def _read(
    connection: Connection, parts: tuple[Part, ...], statements: list[Any], values: Any
) -> list[FrozenTrial]:
    trials = {
        trial_id: FrozenTrial(
            number, state, None, _to_local(start), _to_local(end), {}, {}, {}, {}, {}, trial_id
        )
        for trial_id, number, state, start, end in connection.execute(
            statements[0], values
        ).all()
    }
    for part, statement in zip(parts, statements[1:], strict=True) if trials else ():
        for trial_id, *columns in connection.execute(statement, values).all():
            part.add(trials[trial_id], *columns)
    return list(trials.values())


_INSERT_STEP = insert(STEPS.table)
_UPDATE_STEP = update(STEPS.table).where(
    STEPS.table.trial_id == bindparam("of_trial"), STEPS.table.step == bindparam("of_step")
)


def write_step(
    connection: Connection, trial_id: int, step: int, value: float, *, is_new: bool
) -> None:
    """Write the value reported for a step; `is_new` says whether the step has none yet."""
    stored, kind = STEPS.table.intermediate_value_to_stored_repr(value)
    values = {"intermediate_value": stored, "intermediate_value_type": kind}
    if is_new:
        connection.execute(_INSERT_STEP, {"trial_id": trial_id, "step": step, **values})
    else:
        connection.execute(_UPDATE_STEP, {"of_trial": trial_id, "of_step": step, **values})


@functools.lru_cache(maxsize=8192)
def _to_local(time: datetime | None) -> datetime | None:
    """Return a time of the tables, which is UTC without a zone, as Optuna does: local."""
    return time and time.replace(tzinfo=UTC).astimezone().replace(tzinfo=None)
