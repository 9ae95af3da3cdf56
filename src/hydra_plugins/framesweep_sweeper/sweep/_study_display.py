"""Keeps the display of a sweep up to date with what the study's storage says."""

import math
import time

from optuna.trial import TrialState

from hydra_plugins.framesweep_sweeper.sweep._progress import ProgressDisplay, RunningTrial
from hydra_plugins.framesweep_sweeper.sweep._results import summarize_study
from hydra_plugins.framesweep_sweeper.trials._claims import TrialQueue

DISPLAY_REST = 20.0
"""The study is read for the display again only after this multiple of the time it took, so that
the display costs at most a twentieth of the sweeper's time however large the study is."""

HURRIED_REST = 10.0
"""The same for the display of a trial that has ended, which need not wait for as long."""


class StudyDisplay:
    """Shows the state of a study from time to time.

    Args:
        queue: the trials of the study.
        progress: shows what happens.
        n_trials: the number of completed and pruned trials to reach.
        n_jobs: the number of trials that this sweeper runs in parallel.
    """

    def __init__(
        self, queue: TrialQueue, progress: ProgressDisplay, n_trials: int, n_jobs: int
    ) -> None:
        self._queue = queue
        self._progress = progress
        self._n_trials = n_trials
        self._n_jobs = n_jobs
        self._seconds: list[float] = []  # of the jobs that ended with a result
        self._next = self._next_hurried = 0.0

    def add_result(self, seconds: float) -> None:
        """Take the time of a job that ended with a result into the expected time left."""
        self._seconds.append(seconds)

    def hurry(self) -> None:
        """Make the next call of `update` show something, or the first after a short rest."""
        self._next = self._next_hurried

    def update(self, slots: list[RunningTrial | None], seconds_left: float = math.inf) -> None:
        """Show the study and the trial in each slot, unless that was done a moment ago.

        Args:
            slots: what runs in each slot.
            seconds_left: the time after which the search ends in any case.
        """
        began = time.monotonic()
        if began < self._next:
            return
        mean = sum(self._seconds) / len(self._seconds) if self._seconds else None
        trials = self._queue.get_trials()
        latest = {t.number: t for t in trials if t.state is TrialState.RUNNING}
        for running in filter(None, slots):
            running.update(latest.get(running.number))
        study = self._queue.study
        total, n_jobs = self._n_trials, self._n_jobs
        summary = summarize_study(study, trials, total, n_jobs, mean, seconds_left)
        self._progress.update(summary, slots)
        now = time.monotonic()
        self._next = now + max(self._progress.seconds, DISPLAY_REST * (now - began))
        self._next_hurried = now + HURRIED_REST * (now - began)
