"""A storage on a database that reads trials in bulk, and those that have ended only once.

Trials that have ended never change, so they are kept; each call reads those that have ended
since the last one. Trials that run or wait are read each time, but only their parts that are
needed. The number of statements of a call does not depend on the number of trials.
"""

import contextlib
import copy
import json
from collections import Counter
from collections.abc import Callable, Collection, Container, Iterator
from datetime import timedelta
from typing import Any

from optuna.distributions import BaseDistribution
from optuna.storages import BaseStorage, RDBStorage
from optuna.storages._cached_storage import _CachedStorage
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy import Connection, func, select
from sqlalchemy.exc import IntegrityError

from hydra_plugins.framesweep_sweeper.storage._ended_trials import UNFINISHED, EndedTrials
from hydra_plugins.framesweep_sweeper.storage._trial_parts import (
    ALL,
    BY_NUMBER,
    HEARTBEATS,
    PARAMS,
    RESULTS,
    STEPS,
    SYSTEM_ATTRS,
    TRIALS,
    USER_ATTR_ROWS,
    Part,
    read_trial,
    read_trials,
    write_step,
)

DIALECTS = ("sqlite", "postgresql", "mysql", "mariadb")
"""Databases of which it is known how several statements read one state of the tables."""


class TableStorage(_CachedStorage):
    """Optuna's storage on a database, which reads trials in bulk."""

    def __init__(self, backend: RDBStorage) -> None:
        super().__init__(backend)
        self._ended: dict[tuple[int, tuple[Part, ...]], EndedTrials] = {}

    def get_trial(self, trial_id: int, parts: tuple[Part, ...] = ALL) -> FrozenTrial:
        """Return a trial with the given `parts` only."""
        with self._open() as connection:
            return read_trial(connection, trial_id, parts)

    def get_all_trials(
        self,
        study_id: int,
        deepcopy: bool = True,
        states: Container[TrialState] | None = None,
        parts: tuple[Part, ...] = RESULTS,
        unfinished_parts: tuple[Part, ...] = ALL,
    ) -> list[FrozenTrial]:
        """Return the trials of a study by number, of which only the given parts are read.

        Args:
            study_id: the id of the study.
            deepcopy: whether the caller may change the trials.
            states: the states of the trials to return; None for all.
            parts: the parts of trials that have ended. Those that the sweeper records about
                their processes are left out unless they are asked for.
            unfinished_parts: the parts of trials that run or wait.
        """
        wanted = frozenset(s for s in TrialState if states is None or s in states)
        unfinished = wanted.intersection(UNFINISHED)
        trials: list[FrozenTrial] = []
        with self._lock, self._open() as connection:
            if wanted - unfinished:
                trials = self._read_ended(connection, study_id, parts).select(wanted)
            if unfinished:
                trials += _read_in_states(connection, study_id, unfinished, unfinished_parts)
                trials.sort(key=BY_NUMBER)
        if not trials:
            self._backend.get_study_name_from_id(study_id)  # raises KeyError without a study
        return copy.deepcopy(trials) if deepcopy else trials

    def find_with_params(
        self, study_id: int, params: dict[str, Any], states: Container[TrialState]
    ) -> list[FrozenTrial]:
        """Return the trials in these states that have these parameters, by number.

        The time does not depend on the number of trials that have ended.
        """
        unfinished = [state for state in UNFINISHED if state in states]
        with self._lock, self._open() as connection:
            ended = self._read_ended(connection, study_id, RESULTS).find(params)
            others = _read_in_states(connection, study_id, unfinished, (PARAMS,))
        found = [trial for trial in ended if trial.state in states]
        found += [trial for trial in others if trial.params == params]
        return sorted(found, key=BY_NUMBER)

    def count_states(
        self, study_id: int, key: str, value: Any
    ) -> tuple[Counter[TrialState], Counter[TrialState]]:
        """Return the number of trials per state: of all, and of those with a user attribute.

        Args:
            study_id: the id of the study.
            key: the name of the attribute.
            value: its value.
        """
        table = USER_ATTR_ROWS
        counts = select(TRIALS.state, func.count()).where(TRIALS.study_id == study_id)
        with_attr = counts.join(table, table.trial_id == TRIALS.trial_id).where(
            table.key == key, table.value_json == json.dumps(value)
        )
        with self._open() as connection:
            every, some = (
                Counter(dict(_list_pairs(connection, one.group_by(TRIALS.state))))
                for one in (counts, with_attr)
            )
        return every, some

    def report(
        self, trial_id: int, step: int, value: float, check: Callable[[FrozenTrial], None]
    ) -> FrozenTrial:
        """Write a value that a trial reports, unless `check` raises an error for the trial.

        Returns:
            The trial before, with its reported values and system attributes.
        """
        with self._backend.engine.connect() as connection:
            if self._backend.engine.dialect.name == "sqlite":
                # A transaction that only reads at first could not wait for its turn to write.
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            trial = read_trial(connection, trial_id, (SYSTEM_ATTRS, STEPS))
            check(trial)
            is_new = step not in trial.intermediate_values
            # An error of integrity says that another process has just reported the same step.
            with contextlib.suppress(IntegrityError):
                write_step(connection, trial_id, step, value, is_new=is_new)
                connection.commit()
        return trial

    def delete_study(self, study_id: int) -> None:
        """See `optuna.storages.BaseStorage`, as for the method below."""
        with self._lock:
            self._ended = {key: kept for key, kept in self._ended.items() if key[0] != study_id}
        super().delete_study(study_id)

    def set_trial_param(
        self,
        trial_id: int,
        param_name: str,
        param_value_internal: float,
        distribution: BaseDistribution,
    ) -> None:
        # Optuna's cache knows the trials that it has created or read itself.
        is_known = trial_id in self._trial_id_to_study_id_and_number
        set_param = super().set_trial_param if is_known else self._backend.set_trial_param
        set_param(trial_id, param_name, param_value_internal, distribution)

    def _get_stale_trial_ids(self, study_id: int) -> list[int]:
        beats = select(HEARTBEATS.trial_id, HEARTBEATS.heartbeat).join(
            TRIALS, TRIALS.trial_id == HEARTBEATS.trial_id
        )
        running = (TRIALS.study_id == study_id) & (TRIALS.state == TrialState.RUNNING)
        interval = self._backend.heartbeat_interval or 0
        grace = timedelta(seconds=self._backend.grace_period or 2 * interval)
        with self._open() as connection:
            now = connection.execute(select(func.now())).scalar_one().replace(tzinfo=None)
            rows = connection.execute(beats.where(running)).all()
        return [trial_id for trial_id, beat in rows if now - beat > grace]

    def _read_ended(
        self, connection: Connection, study_id: int, parts: tuple[Part, ...]
    ) -> EndedTrials:
        """Return all trials that have ended, of which only the new ones are read."""
        ended = self._ended.setdefault((study_id, parts), EndedTrials(parts))
        ended.refresh(connection, study_id)
        return ended

    @contextlib.contextmanager
    def _open(self) -> Iterator[Connection]:
        """Open a connection whose statements all read one state of the tables."""
        engine = self._backend.engine
        with engine.connect() as connection:
            if engine.dialect.name == "sqlite":
                # Python's driver begins no transaction before a statement that only reads.
                connection.exec_driver_sql("BEGIN")
                yield connection
            else:
                yield connection.execution_options(isolation_level="REPEATABLE READ")


def _read_in_states(
    connection: Connection,
    study_id: int,
    states: Collection[TrialState],
    parts: tuple[Part, ...],
) -> list[FrozenTrial]:
    chosen = (TRIALS.study_id == study_id) & TRIALS.state.in_(states)
    return read_trials(connection, chosen, parts) if states else []


def _list_pairs(connection: Connection, statement: Any) -> list[tuple[Any, Any]]:
    return [(first, second) for first, second in connection.execute(statement).all()]


def find_tables(storage: BaseStorage) -> TableStorage | None:
    """Return the tables behind a retrying storage, or None if it is read through Optuna."""
    inner = getattr(storage, "inner", None)
    return inner if isinstance(inner, TableStorage) else None
