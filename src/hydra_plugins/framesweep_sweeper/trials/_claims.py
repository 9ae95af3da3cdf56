"""Who runs which trial: claims under one lock, take-over of the dead, and the total."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import optuna
from optuna.samplers import BaseSampler
from optuna.storages import BaseStorage
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from hydra_plugins.framesweep_sweeper.storage._heartbeats import find_stale_trials
from hydra_plugins.framesweep_sweeper.storage._lock import StorageLock
from hydra_plugins.framesweep_sweeper.trials import _trial_attrs
from hydra_plugins.framesweep_sweeper.trials._process import Process
from hydra_plugins.framesweep_sweeper.trials._trial_attrs import JobOutcome

UNCLAIMED_SECONDS = 10
ENDED = (TrialState.COMPLETE, TrialState.PRUNED)
HELD = (*ENDED, TrialState.RUNNING)
"""States that count towards the total."""


@dataclass(frozen=True)
class Claim:
    """The right to run a trial, held until it is settled.

    Attributes:
        trial: of which the sampler's suggestions are asked.
        serial: how often the trial has now been claimed.
        attempt: 1, and one more for each failure.
    """

    trial: optuna.Trial
    serial: int
    attempt: int

    @property
    def number(self) -> int:
        return self.trial.number

    @property
    def trial_id(self) -> int:
        return self.trial._trial_id

    @property
    def is_resumed(self) -> bool:
        return self.serial > 1


class TrialQueue:
    """The trials of one study, as this sweeper and any others share them."""

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
        self._storage = storage
        self._study_id = storage.get_study_id_from_name(study.study_name)
        self._lock = lock
        self._make_sampler: Callable[[int], BaseSampler] | None = make_sampler
        self._retries = retries
        self._heartbeat = heartbeat
        self._me = Process.current()
        self._mine: set[int] = set()

    def trials(self, *states: TrialState) -> list[FrozenTrial]:
        return self.study.get_trials(deepcopy=False, states=states or None)

    def counts(self) -> Counter[TrialState]:
        return Counter(trial.state for trial in self.trials())

    def claim(self, total: int) -> Claim | None:
        """The next trial to run: one waiting to go on, else a new one.

        None where the trials that have ended and those that run make up `total`.
        """
        while self._has_work(total):
            with self._lock.hold() as is_held:
                claim = self._claim(total)
                if claim is None or is_held():
                    break
                # Another sweeper may have claimed the last trial meanwhile: this one is left
                # to wait, and to be claimed again where there still is room.
                self._storage.set_trial_state_values(claim.trial_id, TrialState.WAITING)
        else:
            return None
        if claim is not None:
            self._mine.add(claim.number)
        return claim

    def _has_work(self, total: int) -> bool:
        """Whether a claim is worth taking the lock for."""
        counts = self.counts()
        return sum(counts[s] for s in HELD) < total or bool(self._dead())

    def _claim(self, total: int) -> Claim | None:
        for left, outcome in self._dead():
            self._apply(left, outcome)
        counts = self.counts()
        if sum(counts[s] for s in HELD) >= total:
            return None
        if self._make_sampler is not None:
            self.study.sampler = self._make_sampler(counts.total())
            self._make_sampler = None
        trial = self.study.ask()
        record = _trial_attrs.read(self._frozen(trial._trial_id))
        _trial_attrs.write_claim(self._storage, trial._trial_id, record.claims + 1, self._me)
        return Claim(trial, record.claims + 1, record.attempt)

    def outcome_of(self, claim: Claim) -> JobOutcome | None:
        """What the job of `claim` noted at its end; None where it could not."""
        record = _trial_attrs.read(self._frozen(claim.trial_id))
        return record.outcome if record.claims == claim.serial else None

    def settle(self, claim: Claim, outcome: JobOutcome) -> FrozenTrial:
        """Closes a claim: the trial ends, waits for its next attempt, or waits to go on."""
        self._mine.discard(claim.number)
        trial = self._frozen(claim.trial_id)
        if _trial_attrs.read(trial).claims == claim.serial and not trial.state.is_finished():
            self._apply(trial, outcome)
        return self._frozen(claim.trial_id)

    def original_of(self, claim: Claim) -> FrozenTrial | None:
        """The first trial before `claim` with its parameters that has been measured or runs."""
        params = claim.trial.params
        for trial in self.trials(*ENDED, TrialState.RUNNING):
            if trial.number < claim.number and trial.params == params:
                return trial
        return None

    def is_duplicate(self, claim: Claim) -> bool:
        return self.original_of(claim) is not None

    def copy_result(self, claim: Claim, original: FrozenTrial) -> None:
        """Ends `claim` as `original` has ended, without a run."""
        claim.trial.set_user_attr(_trial_attrs.DUPLICATE_OF, original.number)
        for step, value in original.intermediate_values.items():
            self._storage.set_trial_intermediate_value(claim.trial_id, step, value)
        values = tuple(original.values or ()) if original.state is TrialState.COMPLETE else ()
        self.settle(claim, JobOutcome(original.state.name, values))

    def last_failure(self) -> str:
        """Reason and message of the trial that failed last."""
        failed = self.trials(TrialState.FAIL)
        if not failed:
            return "-"
        attrs = max(failed, key=lambda t: t.datetime_complete or datetime.min).user_attrs
        return f"{attrs.get(_trial_attrs.REASON)}: {attrs.get(_trial_attrs.MESSAGE)}"

    def frozen(self, claim: Claim) -> FrozenTrial:
        return self._frozen(claim.trial_id)

    def _apply(self, trial: FrozenTrial, outcome: JobOutcome) -> None:
        match outcome.state:
            case _trial_attrs.COMPLETE:
                self._tell(trial, TrialState.COMPLETE, list(outcome.values))
            case _trial_attrs.PRUNED:
                self._tell(trial, TrialState.PRUNED, None)
            case _trial_attrs.FAILED:
                record = _trial_attrs.read(trial)
                _trial_attrs.write_failure(self._storage, trial._trial_id, record, outcome)
                if record.attempt > self._retries:
                    self._tell(trial, TrialState.FAIL, None)
                else:
                    self._wait(trial)
            case _:
                self._wait(trial)

    def _tell(self, trial: FrozenTrial, state: TrialState, values: list[float] | None) -> None:
        attempts = _trial_attrs.read(self._frozen(trial._trial_id)).attempt
        attempts -= state is TrialState.FAIL
        self._storage.set_trial_user_attr(trial._trial_id, _trial_attrs.ATTEMPTS, attempts)
        try:
            self.study.tell(trial.number, values, state)
        except RuntimeError as error:
            # A finished grid stops the study, which Optuna allows in its own loop only.
            if "Study.stop" not in str(error):
                raise

    def _wait(self, trial: FrozenTrial) -> None:
        self._storage.set_trial_state_values(trial._trial_id, TrialState.WAITING)

    def _dead(self) -> list[tuple[FrozenTrial, JobOutcome]]:
        """What dead sweepers left: ended trials with their outcome, others that can go on."""
        running = [t for t in self.trials(TrialState.RUNNING) if t.number not in self._mine]
        if not running:
            return []
        stale = find_stale_trials(self._storage, self._study_id, running, self._heartbeat)
        return [
            (trial, _trial_attrs.read(trial).outcome or JobOutcome(_trial_attrs.INTERRUPTED))
            for trial in running
            if trial.number in stale or _is_dead(trial)
        ]

    def _frozen(self, trial_id: int) -> FrozenTrial:
        return self._storage.get_trial(trial_id)


def _is_dead(trial: FrozenTrial) -> bool:
    """Whether nobody on this host answers any more for a running trial."""
    record = _trial_attrs.read(trial)
    if record.sweeper is None:
        age = datetime.now() - (trial.datetime_start or datetime.min)
        return age > timedelta(seconds=UNCLAIMED_SECONDS)
    return record.is_abandoned() or (
        record.outcome is not None and record.sweeper.is_known_dead()
    )
