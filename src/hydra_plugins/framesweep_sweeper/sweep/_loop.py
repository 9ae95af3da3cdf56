"""The loop of a sweep, which keeps every slot busy until the study has its total.

The loop runs in a single thread. What happens elsewhere (jobs, other sweepers) is found in the
study's storage, so that nothing is lost when the sweeper is killed: the next one reads the same
storage and continues. Trials start as soon as a slot is free, and never wait for each other.
"""

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass

from optuna.trial import FrozenTrial, TrialState

from hydra_plugins.framesweep_sweeper.storage._heartbeats import HeartbeatThread
from hydra_plugins.framesweep_sweeper.sweep._failure_limit import FailureLimit
from hydra_plugins.framesweep_sweeper.sweep._progress import (
    ProgressDisplay,
    RunningTrial,
    describe_end,
    describe_start,
)
from hydra_plugins.framesweep_sweeper.sweep._search_end import SearchEnd
from hydra_plugins.framesweep_sweeper.sweep._settings import LoopSettings
from hydra_plugins.framesweep_sweeper.sweep._study_display import StudyDisplay
from hydra_plugins.framesweep_sweeper.sweep._work_clock import WorkClock
from hydra_plugins.framesweep_sweeper.trials import _failures, _trial_attrs
from hydra_plugins.framesweep_sweeper.trials._claim import Claim
from hydra_plugins.framesweep_sweeper.trials._claims import ENDED, TrialQueue
from hydra_plugins.framesweep_sweeper.trials._constraints import CONSTRAINTS, RejectedPointError
from hydra_plugins.framesweep_sweeper.trials._trial_attrs import JobOutcome
from hydra_plugins.framesweep_sweeper.workers._pool import Job, Pool
from hydra_plugins.framesweep_sweeper.workers._signals import StopSignal

POLL_SECONDS = 0.5
"""How long to wait for a job to end before looking at signals and the display again."""
CLAIM_SECONDS = 2.0
"""Least time between two requests for a trial while there is none."""

CLAIMS_PER_SECOND = 20
"""How many such requests all sweepers of a study make together, each of which reads trials."""

END_SECONDS = 5.0
"""Time between two looks at whether trials of other sweepers have ended the search."""


@dataclass(eq=False)
class SweepLoop:
    """One call of the sweeper on a study.

    Attributes:
        queue: hands out trials.
        pool: runs jobs, in slots numbered from 0.
        heartbeats: keeps claimed trials from being taken over.
        progress: shows what happens.
        settings: the settings that the loop follows.
        end: the ends of the search other than its total.
        clock: the time that the study takes, which has been started.
        prepare: returns the job of a claimed trial, and suggests its parameters.
        on_trial_end: is called with each trial that ends.
    """

    queue: TrialQueue
    pool: Pool
    heartbeats: HeartbeatThread
    progress: ProgressDisplay
    settings: LoopSettings
    end: SearchEnd
    clock: WorkClock
    prepare: Callable[[Claim], Job]
    on_trial_end: Callable[[FrozenTrial], None]

    def __post_init__(self) -> None:
        n_trials, n_jobs = self.settings.n_trials, self.settings.n_jobs
        self._slots: list[tuple[Claim, RunningTrial] | None] = [None] * n_jobs
        self._duplicates: list[Claim] = []  # wait for the trial that they repeat
        self._ready: list[Claim] = []  # duplicates whose original failed, so they must run
        self._display = StudyDisplay(self.queue, self.progress, n_trials, n_jobs)
        self._failures = FailureLimit(self.settings)
        self._next_claim = self._next_look = 0.0
        self._is_done = False
        self._stop = StopSignal()
        self._reason = ""  # why the search ended before its total

    def run(self, stop: StopSignal) -> None:
        """Run trials until the search ends, or until `stop` has received a signal.

        Raises:
            FailedSweepError: too many trials failed.
        """
        self.clock.keep_recording()
        self._stop = stop
        try:
            while not stop.signum and not self._has_ended() and self._fill_slots():
                self._collect(POLL_SECONDS, stopping=False)
                left = self.end.seconds_left(self.clock.seconds())
                self._display.update([busy[1] if busy else None for busy in self._slots], left)
        finally:
            self._finish(stop)

    def _has_ended(self) -> bool:
        """Return whether the search is over although it has not reached its total."""
        trials: list[FrozenTrial] = []
        if self.end.reads_trials and time.monotonic() >= self._next_look:
            trials = self.queue.get_trials(*ENDED)
            self._next_look = time.monotonic() + END_SECONDS
        self._reason = self._reason or self.end.explain(self.clock.seconds(), trials)
        return bool(self._reason)

    def _fill_slots(self) -> bool:
        """Start a trial in every free slot; return False once nothing is left to do."""
        self._settle_duplicates()
        for slot, busy in enumerate(self._slots):
            if busy is None and not self._start_trial(slot):
                break
        return any(self._slots) or bool(self._duplicates or self._ready) or not self._is_done

    def _start_trial(self, slot: int) -> bool:
        """Start the next trial in `slot`; return False if there is none for now."""
        while True:
            claim = self._ready.pop(0) if self._ready else self._claim()
            if claim is None:
                return False
            job = self._prepare_job(claim)
            if job is None:
                self._failures.require_few()
                continue
            if self.settings.repeat_duplicates or self.queue.find_original(claim) is None:
                break
            self._duplicates.append(claim)
            self._settle_duplicates()
        self._slots[slot] = claim, RunningTrial.of(claim)
        self.pool.start(slot, job)
        show = self.progress.log if claim.is_resumed else self.progress.log_start
        show(describe_start(claim))
        return True

    def _claim(self) -> Claim | None:
        if time.monotonic() < self._next_claim or self._stop.signum:
            return None
        claim = self.queue.claim(self.settings.n_trials)
        if claim is not None:
            self.heartbeats.add(claim.trial_id)
            return claim
        # Other sweepers run the remaining trials. If one of them fails or its sweeper dies,
        # there is something to do again.
        counts, total = self.queue.count(self.settings.n_trials)
        pause = max(CLAIM_SECONDS, counts[TrialState.RUNNING] / CLAIMS_PER_SECOND)
        self._next_claim = time.monotonic() + pause
        ended = sum(counts[state] for state in ENDED)
        self._is_done = ended >= total
        return None

    def _prepare_job(self, claim: Claim) -> Job | None:
        """Return the job of `claim`, or None if it cannot be composed or violates a constraint.

        The former counts as failed. If it were given back instead, it would be the next to be
        claimed, for ever. But if no trial can be composed, its error is raised.
        """
        try:
            return self.prepare(claim)
        except RejectedPointError as error:
            self._close_trial(claim, JobOutcome(_trial_attrs.PRUNED, reason=CONSTRAINTS), None)
            self._failures.count_rejection(claim.trial.params, str(error))
            return None
        except Exception as error:
            reason, message = _failures.CONFIG, _failures.summarize_error(error)
            outcome = JobOutcome(_trial_attrs.FAILED, reason=reason, message=message)
            self._close_trial(claim, outcome, None)
            if not any(self._slots) and not self.queue.get_trials(*ENDED):
                raise
            return None

    def _settle_duplicates(self) -> None:
        """Give duplicates the result of the trial they repeat, once that has ended."""
        for claim in tuple(self._duplicates):
            original = self.queue.find_original(claim)
            if original is not None and original.state is TrialState.RUNNING:
                continue
            self._duplicates.remove(claim)
            if original is None:
                self._ready.append(claim)
            else:
                self.queue.copy_result(claim, original)
                self.progress.log(f"trial {claim.number} repeats trial {original.number}")
                self._release(claim, self.queue.get_trial(claim))

    def _collect(self, seconds: float, *, stopping: bool) -> None:
        """Close the trials whose jobs end within `seconds`."""
        if not any(self._slots):
            time.sleep(seconds)
            return
        for finished in self.pool.wait(seconds):
            busy = self._slots[finished.slot]
            if busy is None:
                continue
            claim, running = busy
            self._slots[finished.slot] = None
            outcome = self.queue.read_outcome(claim) or finished.judge(stopping=stopping)
            self._close_trial(claim, outcome, running)
        if not stopping:
            self._failures.require_few()

    def _close_trial(self, claim: Claim, outcome: JobOutcome, job: RunningTrial | None) -> None:
        trial = self.queue.settle(claim, outcome)
        seconds, params = (time.monotonic() - job.began, job.params) if job else (0.0, "")
        self.progress.log_end(describe_end(trial, seconds), params)
        if trial.state in ENDED and job:
            self._display.add_result(seconds)
            self._failures.count_success()
        self._release(claim, trial)
        # The next trial is there immediately: another attempt of this one, or its replacement.
        self._next_claim = self._next_look = 0.0
        self._display.hurry()

    def _release(self, claim: Claim, trial: FrozenTrial) -> None:
        self.heartbeats.remove(claim.trial_id)
        if trial.state.is_finished():
            self.on_trial_end(trial)
            self._failures.count_failure(trial)

    def _finish(self, stop: StopSignal) -> None:
        """Let running jobs write their checkpoints, end them, and give their trials back."""
        with ExitStack() as ends:  # whatever fails, no job and no heartbeat outlives the sweep
            for end in (self.clock.stop, self.heartbeats.stop, self._give_back):
                ends.callback(end)
            ends.callback(self.pool.close)
            self._stop_jobs(stop)

    def _stop_jobs(self, stop: StopSignal) -> None:
        if self._reason:
            self.progress.log(f"the search ends: {self._reason}")
        if any(self._slots) and not self.pool.outlives_sweeper:
            self.progress.log("stopping: jobs write their checkpoints; Ctrl-C ends them now")
            self.pool.signal(stop.signum)
            stop.is_ending = bool(self._reason)
            deadline = time.monotonic() + self.settings.stop_seconds
            while any(self._slots) and not stop.urgent and time.monotonic() < deadline:
                self._collect(POLL_SECONDS, stopping=True)
        elif self._reason:  # jobs elsewhere cannot be stopped from here
            while any(self._slots) and not stop.signum:
                self._collect(POLL_SECONDS, stopping=True)

    def _give_back(self) -> None:
        held = [busy[0] for busy in self._slots if busy and not self.pool.outlives_sweeper]
        for claim in [*held, *self._duplicates, *self._ready]:
            outcome = self.queue.read_outcome(claim) or JobOutcome(_trial_attrs.INTERRUPTED)
            self.queue.settle(claim, outcome)
