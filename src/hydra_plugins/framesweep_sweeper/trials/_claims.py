"""Which sweeper runs which trial, and how a trial's jobs decide its state.

Several sweepers may work on one study at the same time, on one machine or on many. Three
invariants hold, whichever of them is killed and whenever:

1. A trial is run by at most one sweeper at a time. Trials are claimed under a lock that all
   sweepers of a storage share, and each claim has a number; see `_trial_attrs`.
2. Complete, pruned and running trials together never exceed the total. Failed trials do not
   count, so each of them is replaced.
3. No trial stays running for ever. Before a sweeper claims a trial, it takes over those of dead
   sweepers: a trial whose job recorded its outcome gets that outcome, and any other one is set
   to WAITING. Optuna's `Study.ask` hands out waiting trials before it creates new ones, with
   the parameters that they have, so the interrupted trial is the next to run.
"""

import math
from collections import Counter
from collections.abc import Callable

from optuna.samplers import BaseSampler
from optuna.storages import BaseStorage
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from hydra_plugins.framesweep_sweeper.storage._lock import StorageLock
from hydra_plugins.framesweep_sweeper.storage._study_views import view_for_sampler
from hydra_plugins.framesweep_sweeper.trials import _trial_attrs
from hydra_plugins.framesweep_sweeper.trials._claim import Claim
from hydra_plugins.framesweep_sweeper.trials._constraints import copy_constraints
from hydra_plugins.framesweep_sweeper.trials._failures import RECURRING
from hydra_plugins.framesweep_sweeper.trials._process import Process
from hydra_plugins.framesweep_sweeper.trials._takeover import find_abandoned_trials
from hydra_plugins.framesweep_sweeper.trials._trial_attrs import JobOutcome
from hydra_plugins.framesweep_sweeper.trials._trial_reader import (
    count_trials,
    find_with_params,
    list_running,
    read_progress,
)

ENDED = (TrialState.COMPLETE, TrialState.PRUNED)
"""States of trials that have a result."""

RESULTS = (_trial_attrs.COMPLETE, _trial_attrs.PRUNED)
"""States of outcomes with a result."""

COUNTED = (*ENDED, TrialState.RUNNING)
"""States of trials that count towards the total."""


class TrialQueue:
    """The trials of one study, which this sweeper shares with any others.

    Args:
        study: the study, which already exists.
        storage: the study's storage.
        lock: the lock of the storage.
        make_sampler: a function that returns the study's sampler, given the number of trials
            that have begun.
        retries: the number of attempts after the first.
        heartbeat: seconds between the heartbeats of a running trial.

    Attributes:
        num_points: the number of points of the space, of which a grid visits each once.
    """

    def __init__(
        self,
        study: Study,
        storage: BaseStorage,
        lock: StorageLock,
        make_sampler: Callable[[int], BaseSampler],
        retries: int,
        heartbeat: int,
    ) -> None:
        self.study = study
        self.storage = storage
        self.study_id = storage.get_study_id_from_name(study.study_name)
        self.lock = lock
        view = view_for_sampler(storage)
        self._sampling = (
            study
            if view is storage
            else Study(study.study_name, view, study.sampler, study.pruner)
        )
        self._make_sampler: Callable[[int], BaseSampler] | None = make_sampler
        self._retries = retries
        self._heartbeat = heartbeat
        self._me = Process.current()
        self._mine: set[int] = set()
        self._is_waiting = False  # there was no trial when this sweeper last asked for one
        self.num_points = math.inf

    def get_trials(self, *states: TrialState) -> list[FrozenTrial]:
        """Return the study's trials, or only those in one of the `states`."""
        return self.study.get_trials(deepcopy=False, states=states or None)

    def get_trial(self, claim: Claim) -> FrozenTrial:
        """Return the claimed trial as it is in the storage now."""
        return self.storage.get_trial(claim.trial_id)

    def count_states(self) -> Counter[TrialState]:
        """Return the number of trials in each state, without those that were rejected."""
        return count_trials(self.storage, self.study_id)[0]

    def count(self, total: int) -> tuple[Counter[TrialState], int]:
        """Return `count_states`, and how much of `total` can be reached.

        A rejected point of a grid is not replaced.
        """
        counts, rejected = count_trials(self.storage, self.study_id)
        return counts, int(min(total, self.num_points - rejected))

    def claim(self, total: int) -> Claim | None:
        """Claim the next trial: an interrupted one if there is any, else a new one.

        Returns:
            The claim, or None if the trials that have a result and those that are running
            already make up the `total`.
        """
        while not self._is_waiting or self._has_work(total):
            with self.lock.hold() as is_held:
                claim = self._claim_locked(total)
                self._is_waiting = claim is None
                if claim is None:
                    return None
                if is_held():
                    self._mine.add(claim.number)
                    return claim
                # The lock may have been lost before the claim was written, and another sweeper
                # may have claimed the last trial. Give this one back, and start over.
                self.storage.set_trial_state_values(claim.trial_id, TrialState.WAITING)
                self._is_waiting = True
        return None

    def _has_work(self, total: int) -> bool:
        """Return whether taking the lock is worthwhile.

        Waiting sweepers ask for a trial again and again; without this check they would keep the
        lock from those that have something to do.
        """
        counts, total = self.count(total)
        return sum(counts[s] for s in COUNTED) < total or bool(self._find_abandoned())

    def _claim_locked(self, total: int) -> Claim | None:
        for abandoned, outcome in self._find_abandoned():
            self._apply(abandoned, outcome)
        while True:
            counts, limit = self.count(total)
            if sum(counts[s] for s in COUNTED) >= limit:
                return None
            if self._make_sampler is not None:
                # Under the lock, so that no two sweepers start from the same number of trials.
                self._sampling.sampler = self._make_sampler(counts.total())
                self._make_sampler = None
            trial = self._sampling.ask()
            progress = read_progress(self.storage, trial._trial_id)
            attrs = _trial_attrs.read(progress)
            if attrs.outcome is None or attrs.outcome.state not in RESULTS:
                serial = attrs.claims + 1
                _trial_attrs.write_claim(self.storage, trial._trial_id, serial, self._me)
                return Claim(trial, serial, attrs.attempt)
            # Its job was taken for dead, and ended before anybody claimed the trial again.
            self._apply(progress, attrs.outcome)

    def _find_abandoned(self) -> list[tuple[FrozenTrial, JobOutcome]]:
        running = [
            trial
            for trial in list_running(self.storage, self.study_id)
            if trial.number not in self._mine
        ]
        return find_abandoned_trials(self.storage, self.study_id, running, self._heartbeat)

    def read_outcome(self, claim: Claim) -> JobOutcome | None:
        """Return the outcome that the job of `claim` recorded, or None if it recorded none."""
        attrs = _trial_attrs.read(read_progress(self.storage, claim.trial_id))
        return attrs.outcome if attrs.claims == claim.serial else None

    def settle(self, claim: Claim, outcome: JobOutcome) -> FrozenTrial:
        """Give the claim up: the trial ends, or waits for another attempt or to be resumed.

        If another sweeper has taken the trial over meanwhile, nothing changes.

        Returns:
            The trial as it is afterwards.
        """
        self._mine.discard(claim.number)
        # Under the lock, because a sweeper that is suspended between the check and the write
        # would otherwise set the state of a trial that belongs to another one by then.
        with self.lock.hold():
            trial = read_progress(self.storage, claim.trial_id)
            attrs = _trial_attrs.read(trial)
            if attrs.claims == claim.serial and not trial.state.is_finished():
                if trial.state is TrialState.WAITING:
                    # Taken over as if this sweeper were dead, but not claimed by another yet.
                    self.storage.set_trial_state_values(claim.trial_id, TrialState.RUNNING)
                self._apply(trial, outcome)
        return self.get_trial(claim)

    def find_original(self, claim: Claim) -> FrozenTrial | None:
        """Return the first trial before this one that has the same parameters, or None.

        Only trials that have a result or are running are considered.
        """
        params = claim.trial.params
        same = find_with_params(self.storage, self.study_id, params, COUNTED)
        return next((trial for trial in same if trial.number < claim.number), None)

    def copy_result(self, claim: Claim, original: FrozenTrial) -> None:
        """End the claimed trial with the result of `original`, without running it."""
        claim.trial.set_user_attr(_trial_attrs.DUPLICATE_OF, original.number)
        copy_constraints(self.storage, claim.trial_id, original)
        for step, value in original.intermediate_values.items():
            self.storage.set_trial_intermediate_value(claim.trial_id, step, value)
        values = tuple(original.values or ()) if original.state is TrialState.COMPLETE else ()
        self.settle(claim, JobOutcome(original.state.name, values))

    def _apply(self, trial: FrozenTrial, outcome: JobOutcome) -> None:
        match outcome.state:
            case _trial_attrs.COMPLETE:
                self._finish(trial, TrialState.COMPLETE, list(outcome.values))
            case _trial_attrs.PRUNED:
                _trial_attrs.write_pruned_by(self.storage, trial._trial_id, outcome)
                self._finish(trial, TrialState.PRUNED, None)
            case _trial_attrs.FAILED:
                attrs = _trial_attrs.read(trial)
                _trial_attrs.write_failure(self.storage, trial._trial_id, attrs, outcome)
                if attrs.attempt > self._retries or outcome.reason in RECURRING:
                    self._finish(trial, TrialState.FAIL, None)
                else:
                    self._requeue(trial)
            case _:
                self._requeue(trial)

    def _finish(
        self, trial: FrozenTrial, state: TrialState, values: list[float] | None
    ) -> None:
        # As the trial was read before its last failure, if it has just failed, was recorded.
        attempts = _trial_attrs.read(trial).attempt
        self.storage.set_trial_user_attr(trial._trial_id, _trial_attrs.ATTEMPTS, attempts)
        try:
            self._sampling.tell(trial.number, values, state)
        except RuntimeError as error:
            # GridSampler calls Study.stop once the grid is exhausted, and Optuna allows that in
            # Study.optimize only. By then the trial's state has been written.
            if "Study.stop" not in str(error):
                raise

    def _requeue(self, trial: FrozenTrial) -> None:
        self.storage.set_trial_state_values(trial._trial_id, TrialState.WAITING)
