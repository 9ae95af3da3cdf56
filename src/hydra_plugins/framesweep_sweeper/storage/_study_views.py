"""Storages that show a study with as little of each trial as a sampler or a pruner needs.

Both ask for all trials of a study. Left out is what would be read in vain: the learning curves
of running trials, at which no sampler of Optuna looks, and all but the curves and the rungs of
the trials with which a pruner compares one.
"""

import copy
from collections.abc import Callable, Container, Sequence
from dataclasses import replace
from typing import Any

from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, TrialState

from hydra_plugins.framesweep_sweeper.storage._retrying_storage import (
    RetryingStorage,
    retry_while_unavailable,
)
from hydra_plugins.framesweep_sweeper.storage._table_storage import TableStorage, find_tables
from hydra_plugins.framesweep_sweeper.storage._trial_parts import (
    ALL,
    OPTUNAS_ATTRS,
    PARAMS,
    RESULTS,
    STEPS,
    SYSTEM_ATTRS,
    Part,
)

WAITING = [TrialState.WAITING]

_RUNGS = replace(
    SYSTEM_ATTRS, prefix="completed_rung_"
)  # where successive halving has compared
_VIOLATIONS = replace(SYSTEM_ATTRS, prefix="constraints")


class _View(RetryingStorage):
    """A storage on tables that shows other parts of trials than they have."""

    def __init__(self, tables: TableStorage) -> None:
        super().__init__(tables)
        self._tables = tables

    def get_all_trials(
        self,
        study_id: int,
        deepcopy: bool = True,
        states: Container[TrialState] | None = None,
    ) -> list[FrozenTrial]:
        """Return the trials of a study by number."""
        trials = self._select(study_id, states)
        return copy.deepcopy(trials) if deepcopy else trials

    def _select(self, study_id: int, states: Container[TrialState] | None) -> list[FrozenTrial]:
        """Return the trials as they are shown, which nobody may change."""
        raise NotImplementedError

    def _fetch(
        self,
        study_id: int,
        states: Container[TrialState] | None,
        parts: tuple[Part, ...],
        unfinished_parts: tuple[Part, ...],
    ) -> list[FrozenTrial]:
        read = self._tables.get_all_trials
        trials: list[FrozenTrial] = retry_while_unavailable(
            lambda: read(study_id, False, states, parts, unfinished_parts)
        )
        return trials


class _SamplerStorage(_View):
    """Shows the trials as they were when this process last began or ended one.

    A sampler may ask for all trials once per parameter; they are read once per trial.
    """

    def __init__(self, tables: TableStorage) -> None:
        super().__init__(tables)
        self._read: dict[int, list[FrozenTrial]] = {}

    def _select(self, study_id: int, states: Container[TrialState] | None) -> list[FrozenTrial]:
        if states is not None and [s for s in TrialState if s in states] == WAITING:
            return self._fetch(study_id, states, ALL, ())
        if study_id not in self._read:
            self._read[study_id] = self._fetch(study_id, None, RESULTS, (PARAMS, OPTUNAS_ATTRS))
        trials = self._read[study_id]
        return [trial for trial in trials if states is None or trial.state in states]

    def create_new_trial(self, study_id: int, template_trial: FrozenTrial | None = None) -> int:
        """See `optuna.storages.BaseStorage`, as for the method below."""
        self._read.clear()
        create = self._tables.create_new_trial
        trial_id: int = retry_while_unavailable(lambda: create(study_id, template_trial))
        return trial_id

    def set_trial_state_values(
        self, trial_id: int, state: TrialState, values: Sequence[float] | None = None
    ) -> bool:
        self._read.clear()
        write = self._tables.set_trial_state_values
        is_set: bool = retry_while_unavailable(lambda: write(trial_id, state, values))
        return is_set


class _PrunerStorage(_View):
    """Shows the curves and violations of trials that have ended, and the rungs of all."""

    def _select(self, study_id: int, states: Container[TrialState] | None) -> list[FrozenTrial]:
        return self._fetch(study_id, states, (STEPS, _RUNGS, _VIOLATIONS), (_RUNGS,))


def view_for_sampler(storage: BaseStorage) -> BaseStorage:
    """Return a storage whose studies a sampler reads faster, where that is possible."""
    build: Any = _SamplerStorage
    return _build(build, storage)


def view_for_pruner(storage: BaseStorage) -> BaseStorage:
    """Return a storage whose studies a pruner reads faster, where that is possible."""
    build: Any = _PrunerStorage
    return _build(build, storage)


def _build(view: Callable[[TableStorage], BaseStorage], storage: BaseStorage) -> BaseStorage:
    tables = find_tables(storage)
    return storage if tables is None else view(tables)
