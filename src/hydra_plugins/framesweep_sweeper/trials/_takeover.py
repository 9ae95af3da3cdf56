"""Finding running trials whose processes have died, so that another sweeper takes them over."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial

from hydra_plugins.framesweep_sweeper.storage._heartbeats import find_stale_trials
from hydra_plugins.framesweep_sweeper.trials import _trial_attrs
from hydra_plugins.framesweep_sweeper.trials._trial_attrs import JobOutcome

UNCLAIMED_SECONDS = 10
"""Seconds that a sweeper may take from creating a trial to claiming it."""


def find_abandoned_trials(
    storage: BaseStorage, study_id: int, running: Iterable[FrozenTrial], heartbeat: int
) -> list[tuple[FrozenTrial, JobOutcome]]:
    """Return the `running` trials that nobody works on, each with how its last job ended.

    A job that recorded its outcome before its sweeper died has that outcome; any other is
    interrupted, and its trial can be resumed.

    Args:
        storage: the storage of the study.
        study_id: the study's id in the storage.
        running: the study's running trials, except those of this sweeper.
        heartbeat: seconds between two heartbeats.
    """
    running = list(running)
    if not running:
        return []
    stale = find_stale_trials(storage, study_id, running, heartbeat)
    return [
        (trial, _trial_attrs.read(trial).outcome or JobOutcome(_trial_attrs.INTERRUPTED))
        for trial in running
        if trial.number in stale or _is_abandoned(trial)
    ]


def _is_abandoned(trial: FrozenTrial) -> bool:
    """Return whether a running trial has nobody left who could bring it to an end.

    Unlike a stale heartbeat, which takes minutes, this can be seen immediately, but only for
    processes of this machine.
    """
    attrs = _trial_attrs.read(trial)
    if attrs.sweeper is None:
        # A sweeper was killed between creating the trial and claiming it, or is about to claim.
        age = datetime.now() - (trial.datetime_start or datetime.min)
        return age > timedelta(seconds=UNCLAIMED_SECONDS)
    # A job on another machine may have ended after its sweeper here died: its worker cannot be
    # looked up from here, but there is an outcome that nobody else will apply.
    return attrs.is_abandoned() or (attrs.outcome is not None and attrs.sweeper.is_known_dead())
