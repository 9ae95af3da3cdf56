"""A storage on a database that reads trials in bulk, and those that have ended only once.

Trials that have ended never change, so they are kept; each call reads those that have ended
since the last one. Trials that run or wait are read each time, but only their parts that are
needed. The number of statements of a call does not depend on the number of trials.
"""

import contextlib
import copy
import json
from collections import Counter
from collections.abc import Callable, Container, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from optuna.distributions import BaseDistribution
from optuna.storages import BaseStorage, RDBStorage
from optuna.storages._cached_storage import _CachedStorage
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy import Connection, bindparam, func, select
from sqlalchemy.exc import IntegrityError

from hydra_plugins.framesweep_sweeper.storage._trial_parts import (
    ALL,
    BY_NUMBER,
    HEARTBEATS,
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

UNFINISHED = tuple(state for state in TrialState if not state.is_finished())

MOST_IDS = 500
"""Longest list of ids in a statement; databases limit its length."""

_IDS = select(TRIALS.trial_id).where(TRIALS.study_id == bindparam("study"))
_UNFINISHED_IDS = _IDS.where(TRIALS.state.in_(UNFINISHED))
_NEW_IDS = _IDS.where(TRIALS.trial_id > bindparam("last"))


@dataclass
class _Ended:
    """The trials of a study that have ended, by number, as far as they have been read."""

    trials: list[FrozenTrial] = field(default_factory=list)
    unfinished: set[int] = field(default_factory=set)
    last: int = -1  # the greatest trial id that has been seen
    chosen: dict[frozenset[TrialState], list[FrozenTrial]] = field(default_factory=dict)

    def refresh(self, connection: Connection, study_id: int, parts: tuple[Part, ...]) -> None:
        """Read the trials that have ended since the last call."""
        # A trial is created under a lock of its study, so that ids appear in their order.
        values = {"study": study_id, "last": self.last}
        unfinished = set(connection.scalars(_UNFINISHED_IDS, values).all())
        new = set(connection.scalars(_NEW_IDS, values).all())
        ended = (self.unfinished | new) - unfinished
        if ended:
            chosen = TRIALS.trial_id.in_(ended)
            if len(ended) > MOST_IDS:
                chosen = (TRIALS.study_id == study_id) & (TRIALS.trial_id >= min(ended))
                chosen &= TRIALS.state.not_in(UNFINISHED)
            read = read_trials(connection, chosen, parts)
            self.trials += [trial for trial in read if trial._trial_id in ended]
            self.trials.sort(key=BY_NUMBER)
            self.chosen.clear()
        self.unfinished, self.last = unfinished, max([self.last, *new])

    def select(self, states: frozenset[TrialState]) -> list[FrozenTrial]:
        """Return a new list of the trials in these states."""
        if states not in self.chosen:
            self.chosen[states] = [trial for trial in self.trials if trial.state in states]
        return self.chosen[states].copy()


class TableStorage(_CachedStorage):
    """Optuna's storage on a database, which reads trials in bulk."""

    def __init__(self, backend: RDBStorage) -> None:
        super().__init__(backend)
        self._ended: dict[tuple[int, tuple[Part, ...]], _Ended] = {}

    def get_trial(self, trial_id: int, parts: tuple[Part, ...] = ALL) -> FrozenTrial:
        """Return a trial with the given `parts` only."""
        with self._open() as connection:
            return read_trial(connection, trial_id, parts)

    def get_all_trials(
        self,
        study_id: int,
        deepcopy: bool = True,
        states: Container[TrialState] | None = None,
        parts: tuple[Part, ...] = ALL,
        unfinished_parts: tuple[Part, ...] = ALL,
    ) -> list[FrozenTrial]:
        """Return the trials of a study by number, of which only the given parts are read.

        Args:
            study_id: the id of the study.
            deepcopy: whether the caller may change the trials.
            states: the states of the trials to return; None for all.
            parts: the parts of trials that have ended.
            unfinished_parts: the parts of trials that run or wait.
        """
        wanted = frozenset(s for s in TrialState if states is None or s in states)
        unfinished = wanted.intersection(UNFINISHED)
        trials: list[FrozenTrial] = []
        with self._lock, self._open() as connection:
            if wanted - unfinished:
                ended = self._ended.setdefault((study_id, parts), _Ended())
                ended.refresh(connection, study_id, parts)
                trials = ended.select(wanted)
            if unfinished:
                chosen = (TRIALS.study_id == study_id) & TRIALS.state.in_(unfinished)
                trials += read_trials(connection, chosen, unfinished_parts)
                trials.sort(key=BY_NUMBER)
        if not trials:
            self._backend.get_study_name_from_id(study_id)  # raises KeyError without a study
        return copy.deepcopy(trials) if deepcopy else trials

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


def _list_pairs(connection: Connection, statement: Any) -> list[tuple[Any, Any]]:
    return [(first, second) for first, second in connection.execute(statement).all()]


def find_tables(storage: BaseStorage) -> TableStorage | None:
    """Return the tables behind a retrying storage, or None if it is read through Optuna."""
    inner = getattr(storage, "inner", None)
    return inner if isinstance(inner, TableStorage) else None
