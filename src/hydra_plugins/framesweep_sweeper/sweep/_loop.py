"""The loop of a sweep: keeps every slot busy until the study has its total."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from optuna.trial import FrozenTrial, TrialState

from hydra_plugins.framesweep_sweeper._errors import FailedSweepError
from hydra_plugins.framesweep_sweeper.storage._heartbeats import HeartbeatThread
from hydra_plugins.framesweep_sweeper.sweep._progress import (
    ProgressDisplay,
    RunningTrial,
    describe_end,
)
from hydra_plugins.framesweep_sweeper.sweep._results import summarize_study
from hydra_plugins.framesweep_sweeper.trials import _failures, _trial_attrs
from hydra_plugins.framesweep_sweeper.trials._claims import ENDED, Claim, TrialQueue
from hydra_plugins.framesweep_sweeper.trials._trial_attrs import JobOutcome
from hydra_plugins.framesweep_sweeper.workers._pool import FinishedJob, Job, Pool
from hydra_plugins.framesweep_sweeper.workers._signals import StopSignal

POLL_SECONDS = 0.5
CLAIM_SECONDS = 2.0
CLAIMS_A_SECOND = 20
"""About how often all sweepers that wait for a trial together ask for one."""
REST = 20.0
"""The study is looked at again only after so many times the time that a look took."""


@dataclass(frozen=True)
class LoopSettings:
    """Settings of `hydra.sweeper` that the loop goes by."""

    n_trials: int
    n_jobs: int
    max_failure_rate: float
    repeat_duplicates: bool
    stop_seconds: float


class SweepLoop:
    """One call of the sweeper on a study.

    Args:
        queue: hands out trials.
        pool: runs jobs, in slots from 0.
        heartbeats: keeps claimed trials alive.
        prepare: makes a claimed trial's job, its parameters suggested.
        on_trial_end: called for each trial that ends.
    """

    def __init__(
        self,
        queue: TrialQueue,
        pool: Pool,
        heartbeats: HeartbeatThread,
        progress: ProgressDisplay,
        rules: LoopSettings,
        prepare: Callable[[Claim], Job],
        on_trial_end: Callable[[FrozenTrial], None],
    ) -> None:
        self._queue = queue
        self._pool = pool
        self._heartbeats = heartbeats
        self._progress = progress
        self._rules = rules
        self._prepare = prepare
        self._on_trial_end = on_trial_end
        self._slots: list[tuple[Claim, RunningTrial] | None] = [None] * rules.n_jobs
        self._ready: list[Claim] = []
        self._parked: list[Claim] = []
        self._seconds: list[float] = []
        self._failed = 0
        self._next_claim = self._next_look = 0.0
        self._is_done = False

    def run(self, stop: StopSignal) -> None:
        """Runs until the total is met, or `stop` is set.

        Raises:
            FailedSweepError: too many trials failed.
        """
        try:
            while not stop.signum and self._fill():
                self._collect(POLL_SECONDS, stopping=False)
                self._show()
        finally:
            self._finish(stop)

    def _fill(self) -> bool:
        """Starts a trial in every free slot; False once nothing is left to do."""
        self._settle_duplicates()
        for slot, busy in enumerate(self._slots):
            if busy is None and not self._start_in(slot):
                break
        return any(self._slots) or bool(self._parked or self._ready) or not self._is_done

    def _start_in(self, slot: int) -> bool:
        """Starts the next trial in `slot`; False where there is none for now."""
        while True:
            claim = self._ready.pop(0) if self._ready else self._claim()
            if claim is None:
                return False
            job = self._job(claim)
            if job is None:
                continue
            if self._rules.repeat_duplicates or not self._queue.is_duplicate(claim):
                break
            self._parked.append(claim)
            self._settle_duplicates()
        params = " ".join(f"{k}={v}" for k, v in claim.trial.params.items())
        self._slots[slot] = claim, RunningTrial(claim.number, claim.attempt, params)
        self._pool.start(slot, job)
        verb = "goes on" if claim.is_resumed else "started"
        attempt = f", attempt {claim.attempt}" if claim.attempt > 1 else ""
        self._progress.log(f"trial {claim.number} {verb}{attempt}: {params}")
        return True

    def _claim(self) -> Claim | None:
        if time.monotonic() < self._next_claim:
            return None
        claim = self._queue.claim(self._rules.n_trials)
        if claim is None:
            # Other sweepers may hold the rest: ask again, but not at every turn.
            counts = self._queue.counts()
            pause = max(CLAIM_SECONDS, counts[TrialState.RUNNING] / CLAIMS_A_SECOND)
            self._next_claim = time.monotonic() + pause
            self._is_done = sum(counts[state] for state in ENDED) >= self._rules.n_trials
        else:
            self._heartbeats.add(claim.trial_id)
        return claim

    def _job(self, claim: Claim) -> Job | None:
        """The job of `claim`; None where its config cannot be composed, though others can.

        What cannot be composed counts as failed, so that it is not claimed first for ever.
        """
        try:
            return self._prepare(claim)
        except Exception as error:
            reason, message = _failures.CONFIG, _failures.summarize_error(error)
            self._close(
                claim, JobOutcome(_trial_attrs.FAILED, reason=reason, message=message), 0.0
            )
            if not any(self._slots) and not self._has_ended():
                raise
            return None

    def _has_ended(self) -> bool:
        """Whether any trial of the study has come to a result."""
        counts = self._queue.counts()
        return any(counts[state] for state in ENDED)

    def _settle_duplicates(self) -> None:
        """Gives parked trials the result of the trial they repeat, once that has ended."""
        for claim in tuple(self._parked):
            original = self._queue.original_of(claim)
            if original is not None and original.state is TrialState.RUNNING:
                continue
            self._parked.remove(claim)
            if original is None:
                self._ready.append(claim)
            else:
                self._queue.copy_result(claim, original)
                self._progress.log(f"trial {claim.number} repeats trial {original.number}")
                self._end(claim, self._queue.frozen(claim))

    def _collect(self, seconds: float, *, stopping: bool) -> None:
        """Closes the trials whose jobs end within `seconds`."""
        if not any(self._slots):
            time.sleep(seconds)
            return
        for ended in self._pool.wait(seconds):
            busy = self._slots[ended.slot]
            if busy is None:
                continue
            claim, running = busy
            self._slots[ended.slot] = None
            outcome = self._queue.outcome_of(claim) or _unexplained(ended, stopping)
            self._close(claim, outcome, time.monotonic() - running.began)

    def _close(self, claim: Claim, outcome: JobOutcome, seconds: float) -> None:
        trial = self._queue.settle(claim, outcome)
        self._progress.log(describe_end(trial, seconds))
        if trial.state in ENDED:
            self._seconds.append(seconds)
        self._end(claim, trial)
        # A claim may be had at once: this trial's next attempt, or a new one in its place.
        self._next_claim = self._next_look = 0.0

    def _end(self, claim: Claim, trial: FrozenTrial) -> None:
        self._heartbeats.remove(claim.trial_id)
        if not trial.state.is_finished():
            return
        self._on_trial_end(trial)
        if trial.state is TrialState.FAIL:
            self._failed += 1
            self._check_failures()

    def _check_failures(self) -> None:
        """Raises FailedSweepError once the failure rate is above its bound beyond chance."""
        ended = self._failed + len(self._seconds)
        rate, most = (
            _failures.wilson_lower_bound(self._failed, ended),
            self._rules.max_failure_rate,
        )
        if rate > most or self._failed >= self._rules.n_trials:
            raise FailedSweepError(
                f"{self._failed} of {ended} trials failed, which is more than "
                f"hydra.sweeper.max_failure_rate={most:g} allows; last: "
                f"{self._queue.last_failure()}"
            )

    def _show(self) -> None:
        began = time.monotonic()
        if began < self._next_look:
            return
        mean = sum(self._seconds) / len(self._seconds) if self._seconds else None
        slots = [busy[1] if busy else None for busy in self._slots]
        trials = self._queue.trials()
        latest = {t.number: t for t in trials if t.state is TrialState.RUNNING}
        for running in filter(None, slots):
            running.update(latest.get(running.number))
        rules = self._rules
        self._progress.update(
            summarize_study(self._queue.study, trials, rules.n_trials, rules.n_jobs, mean),
            slots,
        )
        now = time.monotonic()
        self._next_look = now + max(self._progress.seconds, REST * (now - began))

    def _finish(self, stop: StopSignal) -> None:
        """Lets running jobs write their checkpoints, ends them, and gives their trials back."""
        if any(self._slots) and not self._pool.outlives_sweeper:
            self._progress.log("stopping: jobs write their checkpoints; Ctrl-C ends them now")
            self._pool.signal(stop.signum)
            deadline = time.monotonic() + self._rules.stop_seconds
            while any(self._slots) and not stop.urgent and time.monotonic() < deadline:
                self._collect(POLL_SECONDS, stopping=True)
        self._pool.close()
        held = [busy[0] for busy in self._slots if busy and not self._pool.outlives_sweeper]
        for claim in [*held, *self._parked, *self._ready]:
            outcome = self._queue.outcome_of(claim) or JobOutcome(_trial_attrs.INTERRUPTED)
            self._queue.settle(claim, outcome)


def _unexplained(ended: FinishedJob, stopping: bool) -> JobOutcome:
    """The outcome of a job that could not note one."""
    if stopping:
        return JobOutcome(_trial_attrs.INTERRUPTED)
    return JobOutcome(_trial_attrs.FAILED, reason=ended.reason, message=ended.message)
