"""The trials of a study that have ended, which never change: each is read once and kept."""

import bisect
from dataclasses import dataclass, field
from typing import Any

from optuna.trial import FrozenTrial, TrialState
from sqlalchemy import Connection, bindparam, select

from hydra_plugins.framesweep_sweeper.storage._trial_parts import (
    BY_NUMBER,
    PARAMS,
    TRIALS,
    Part,
    read_trials,
)

UNFINISHED = tuple(state for state in TrialState if not state.is_finished())

MOST_IDS = 500
"""Longest list of ids in a statement; databases limit its length."""

_IDS = select(TRIALS.trial_id).where(TRIALS.study_id == bindparam("study"))
_UNFINISHED_IDS = _IDS.where(TRIALS.state.in_(UNFINISHED))
_NEW_IDS = _IDS.where(TRIALS.trial_id > bindparam("last"))

_Point = frozenset[tuple[str, Any]]
"""A trial's parameters in a form that can be a key of a dictionary."""


def _to_point(params: dict[str, Any]) -> _Point:
    """Return a trial's parameters as a key, which is equal for equal parameters."""
    return frozenset(params.items())


@dataclass
class EndedTrials:
    """The trials of a study that have ended, by number, as far as they have been read.

    Attributes:
        parts: the parts of each trial that are read.
    """

    parts: tuple[Part, ...]
    trials: list[FrozenTrial] = field(default_factory=list)
    unfinished: set[int] = field(default_factory=set)
    last: int = -1  # the greatest trial id that has been seen
    chosen: dict[frozenset[TrialState], list[FrozenTrial]] = field(default_factory=dict)
    by_params: dict[_Point, list[FrozenTrial]] = field(default_factory=dict)

    def refresh(self, connection: Connection, study_id: int) -> None:
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
            for trial in read_trials(connection, chosen, self.parts):
                if trial._trial_id in ended:
                    self._add(trial)
        self.unfinished, self.last = unfinished, max([self.last, *new])

    def _add(self, trial: FrozenTrial) -> None:
        """Take a trial into each list, in which it is nearly always the last."""
        lists = [kept for states, kept in self.chosen.items() if trial.state in states]
        if PARAMS in self.parts:
            lists.append(self.by_params.setdefault(_to_point(trial.params), []))
        for trials in (self.trials, *lists):
            bisect.insort(trials, trial, key=BY_NUMBER)

    def select(self, states: frozenset[TrialState]) -> list[FrozenTrial]:
        """Return a new list of the trials in these states."""
        if states not in self.chosen:
            self.chosen[states] = [trial for trial in self.trials if trial.state in states]
        return self.chosen[states].copy()

    def find(self, params: dict[str, Any]) -> list[FrozenTrial]:
        """Return a new list of the trials with these parameters, without looking at others."""
        return self.by_params.get(_to_point(params), []).copy()
