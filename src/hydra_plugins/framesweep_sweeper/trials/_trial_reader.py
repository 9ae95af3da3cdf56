"""What the queue reads of a study's trials: no more of them than it needs, where it can.

From the tables of a database, each method takes a few statements, whose number does not depend
on the number of trials. Any other storage is read through Optuna, with all of each trial.
"""

import functools
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, TrialState

from hydra_plugins.framesweep_sweeper.storage._retrying_storage import retry_while_unavailable
from hydra_plugins.framesweep_sweeper.storage._table_storage import find_tables
from hydra_plugins.framesweep_sweeper.storage._trial_parts import (
    OWN_PREFIX,
    STEPS,
    SYSTEM_ATTRS,
)
from hydra_plugins.framesweep_sweeper.trials import _trial_attrs
from hydra_plugins.framesweep_sweeper.trials._constraints import CONSTRAINTS, is_rejected


@functools.lru_cache(maxsize=8192)
def _parse(text: str) -> Any:
    return json.loads(text)


def _add_own_attr(trial: FrozenTrial, key: str, text: str) -> None:
    # The same records are read at each claim; nobody changes them in place.
    trial.system_attrs[key] = _parse(text)


_OWN_ATTRS = replace(SYSTEM_ATTRS, prefix=OWN_PREFIX, add=_add_own_attr)


def count_trials(storage: BaseStorage, study_id: int) -> tuple[Counter[TrialState], int]:
    """Return the number of trials in each state, and of those that were rejected.

    The former does not include the latter.
    """
    tables = find_tables(storage)
    if tables is None:
        trials = storage.get_all_trials(study_id, deepcopy=False)
        counts = Counter(trial.state for trial in trials if not is_rejected(trial))
        return counts, len(trials) - counts.total()
    key = _trial_attrs.PRUNED_BY
    every, rejected = retry_while_unavailable(
        lambda: tables.count_states(study_id, key, CONSTRAINTS)
    )
    return every - rejected, rejected.total()


def list_running(storage: BaseStorage, study_id: int) -> list[FrozenTrial]:
    """Return the running trials with, at least, what the sweeper records about them."""
    tables = find_tables(storage)
    states = (TrialState.RUNNING,)
    if tables is None:
        return storage.get_all_trials(study_id, deepcopy=False, states=states)
    found: list[FrozenTrial] = retry_while_unavailable(
        lambda: tables.get_all_trials(study_id, False, states, unfinished_parts=(_OWN_ATTRS,))
    )
    return found


def find_with_params(
    storage: BaseStorage, study_id: int, params: dict[str, Any], states: tuple[TrialState, ...]
) -> list[FrozenTrial]:
    """Return the trials in these states that have these parameters, by number.

    Of those that have not ended, nothing else is read.
    """
    tables = find_tables(storage)
    if tables is None:
        trials = storage.get_all_trials(study_id, deepcopy=False, states=states)
        return [trial for trial in trials if trial.params == params]
    found: list[FrozenTrial] = retry_while_unavailable(
        lambda: tables.find_with_params(study_id, params, states)
    )
    return found


def read_progress(storage: BaseStorage, trial_id: int) -> FrozenTrial:
    """Return a trial with, at least, its reported values and its system attributes."""
    tables = find_tables(storage)
    if tables is None:
        return storage.get_trial(trial_id)
    found: FrozenTrial = retry_while_unavailable(
        lambda: tables.get_trial(trial_id, (SYSTEM_ATTRS, STEPS))
    )
    return found


def report_value(
    storage: BaseStorage,
    trial_id: int,
    step: int,
    value: float,
    check: Callable[[FrozenTrial], None],
) -> FrozenTrial:
    """Write a value that a trial reports, unless `check` raises an error for the trial.

    Returns:
        The trial before, with, at least, its reported values and its system attributes.
    """
    tables = find_tables(storage)
    if tables is not None:
        found: FrozenTrial = retry_while_unavailable(
            lambda: tables.report(trial_id, step, value, check)
        )
        return found
    trial = storage.get_trial(trial_id)
    check(trial)
    storage.set_trial_intermediate_value(trial_id, step, value)
    return trial
